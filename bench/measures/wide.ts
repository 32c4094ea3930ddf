/**
 * `wide`: two tasks of 5,000 parallel steps, on two workers.
 *
 * 1. PostgreSQL counts the deadlocks; the count is read when all connections are closed, as a backend reports late.
 */
import { createTestDatabase } from "@baton/testing/databases";
import { runBodies, warmUp } from "./chain.ts";
import { keyOf, onEachBackend, withSystem } from "./measure.ts";
import { wideBody } from "./plans.ts";

export const wide = onEachBackend("wide", async (bench, backend) => {
  const { tasks, width } = bench.smoke ? { tasks: 2, width: 20 } : { tasks: 2, width: 5_000 };
  const database = await createTestDatabase(bench.servers.postgres.url);
  try {
    const run = await withSystem(bench, { backend, workers: 2, database }, async (system) => {
      await warmUp(bench, system);
      return await runBodies(bench, system, { bodies: [wideBody(width)], tasks, steps: tasks * width });
    });
    const [found] = await database.read<{ deadlocks: number }>(
      "select deadlocks::int from pg_stat_database where datname = current_database()",
    );
    const deadlocks = found?.deadlocks ?? Number.NaN;
    const note = `${deadlocks} deadlocks, ${run.seconds.toFixed(2)} s, two workers`;
    const figure = `${Math.round(run.stepsPerSecond)} steps/s`;
    return {
      values: {
        [keyOf("wide", backend, "deadlocks")]: deadlocks,
        [`wide/${backend}/steps-per-second`]: run.stepsPerSecond,
      },
      lines: [{ measure: "wide", backend, figure, usage: run.usage, note }],
    };
  } finally {
    await database.drop();
  }
});
