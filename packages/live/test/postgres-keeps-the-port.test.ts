import pg from "pg";
import { liveConformance, stoppablePostgres } from "@baton/testing/conformance";
import { createPostgresLive } from "@baton/live";
import { plainStore, schema } from "./postgres-store.ts";

liveConformance("PostgreSQL", async () => {
  const server = await stoppablePostgres();
  const query = async (text: string) => {
    const client = new pg.Client({ connectionString: server.url });
    await client.connect();
    await client.query(text);
    await client.end();
  };
  await query(schema);
  return {
    async open(onError) {
      const store = plainStore(server.url, onError);
      const live = createPostgresLive({ store, onError });
      const close = async () => {
        await live.close();
        await store.end();
      };
      return { live, close };
    },
    cutFollowers: () =>
      query("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'baton-live-follower'"),
    stop: server.stop,
    start: server.start,
    close: server.close,
  };
});
