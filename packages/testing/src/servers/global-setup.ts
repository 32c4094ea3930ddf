/** Vitest runs this once per run: one PostgreSQL for all test files, and word about Redis. */
import type { TestProject } from "vitest/node";
import { startTestPostgres } from "./postgres.ts";
import { redisUnavailable } from "./redis-choice.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** A superuser's URL of the run's own PostgreSQL 18. */
    postgresUrl: string;
    /** Why suites on Redis are skipped; "" when they are not. */
    redisUnavailable: string;
  }
}

/** Four systems of up to ten processes each stand side by side in the fault suite. */
const maxConnections = 600;

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const [postgres, reason] = await Promise.all([
    startTestPostgres({ max_connections: maxConnections }),
    redisUnavailable(),
  ]);
  project.provide("postgresUrl", postgres.url);
  project.provide("redisUnavailable", reason ?? "");
  if (reason !== undefined) console.warn(`Suites on Redis are skipped: ${reason}.`);
  return () => postgres.stop();
}
