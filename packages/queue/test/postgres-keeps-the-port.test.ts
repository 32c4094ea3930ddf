import { queueConformance, stoppablePostgres } from "@baton/testing/conformance";
import { openPostgresQueue } from "@baton/queue";
import { query } from "./database.ts";

queueConformance("PostgreSQL", async () => {
  const server = await stoppablePostgres();
  return {
    open: () => openPostgresQueue({ url: server.url, onError: () => undefined }),
    stop: server.stop,
    start: server.start,
    wipe: async () => {
      await query(server.url, "truncate bullmq.job cascade");
    },
    close: server.close,
  };
});
