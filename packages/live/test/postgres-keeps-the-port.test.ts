import { randomBytes } from "node:crypto";
import { uuidv7 } from "@baton/core";
import { createPostgresLive } from "@baton/live";
import { migrate, openStore } from "@baton/store";
import { liveConformance } from "@baton/testing/conformance";
import { startFaultyPostgres } from "@baton/testing/faults";
import pg from "pg";

liveConformance("PostgreSQL", async () => {
  const server = await startFaultyPostgres();
  await migrate(server.url);
  return {
    async open(onError) {
      const store = await openStore({
        url: server.url,
        applicationName: "live",
        newId: () => uuidv7(Date.now(), randomBytes(10)),
        onError,
        onWakeUps: () => undefined,
      });
      const live = createPostgresLive({ store: store.live, onError });
      const close = async () => {
        await live.close();
        await store.close();
      };
      return { live, close };
    },
    cutFollowers: async () => {
      const client = new pg.Client({ connectionString: server.url });
      await client.connect();
      await client.query(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'live-listen'",
      );
      await client.end();
    },
    stop: server.stop,
    start: server.start,
    close: server.close,
  };
});
