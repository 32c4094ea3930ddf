import { describe, it } from "vitest";
import { queueConformance } from "@baton/testing/conformance";
import { openPostgresQueue } from "@baton/queue";
import { query } from "./database.ts";
import { postgresMissing, startPostgres } from "./servers.ts";

const missing = postgresMissing();
if (missing === undefined) {
  queueConformance("PostgreSQL", async () => {
    const server = await startPostgres();
    const open = () => openPostgresQueue({ url: server.url, onError: () => undefined });
    const wipe = async () => {
      await query(server.url, "truncate bullmq.job cascade");
    };
    return { open, wipe, stop: server.stop, start: server.start, close: server.close };
  });
} else {
  describe("queue on PostgreSQL", () => {
    it.skip(`every case: ${missing}`, () => undefined);
  });
}
