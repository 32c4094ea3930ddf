import { rm } from "node:fs/promises";
import { startPostgres } from "@baton/embedded";
import type { PostgresOptions } from "@baton/embedded";
import { scratchFolder } from "./scratch.ts";

export interface TestPostgres {
  /** As superuser; test files make databases of their own behind it. */
  readonly url: string;
  /** Stops the server and deletes its data. */
  stop(): Promise<void>;
}

/** Names a server to use instead, where there is no private one (macOS); its role must be a superuser. */
const ownServer = "BATON_TEST_DATABASE_URL";

/** A new, empty PostgreSQL 18 that flushes nothing to the disk. It leaves with this process. */
export async function startTestPostgres(settings: PostgresOptions["settings"] = {}): Promise<TestPostgres> {
  const given = process.env[ownServer];
  if (given) return { url: given, stop: () => Promise.resolve() };
  const dataDir = await scratchFolder("postgres");
  const server = await startPostgres({ dataDir, durable: false, settings });
  return {
    url: server.url,
    async stop() {
      await server.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
