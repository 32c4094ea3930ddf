import { queueConformance } from "@baton/testing/conformance";
import { startFaultyPostgres } from "@baton/testing/faults";
import { openPostgresQueue } from "@baton/queue";
import { query } from "./database.ts";

queueConformance("PostgreSQL", async () => {
  const server = await startFaultyPostgres();
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
