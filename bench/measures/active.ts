/** `active-1000`: 1,000 tasks with a step under way at all times, on one worker with as many slots. */
import { runBodies, warmUp } from "./chain.ts";
import { keyOf, onEachBackend, whileSampling, withSystem } from "./measure.ts";
import { chainBody } from "./plans.ts";
import type { TestDatabase } from "@baton/testing/databases";

const stepMs = 100;

async function storedBytes(database: TestDatabase): Promise<number> {
  const [found] = await database.read<{ bytes: number }>(
    `select sum(pg_total_relation_size(oid))::float8 as bytes from pg_class
     where relnamespace = 'baton'::regnamespace and relkind = 'r'`,
  );
  return found?.bytes ?? Number.NaN;
}

export const active = onEachBackend("active-1000", async (bench, backend) => {
  const { tasks, steps } = bench.smoke ? { tasks: 10, steps: 2 } : { tasks: 1_000, steps: 10 };
  const env = bench.smoke ? {} : { BATON_CONCURRENCY: String(tasks) };
  return await withSystem(bench, { backend, workers: 1, env }, async (system) => {
    await warmUp(bench, system);
    const before = await storedBytes(system.database);
    const load = { bodies: [chainBody(steps, stepMs)], tasks, steps: tasks * steps };
    const { result, most } = await whileSampling(runBodies(bench, system, load), system.workerMegabytes);
    const bytes = ((await storedBytes(system.database)) - before) / tasks;
    const of = (metric: string) => keyOf("active-1000", backend, metric);
    return {
      values: {
        [of("rss-mb")]: most,
        [of("steps-per-second")]: result.stepsPerSecond,
        [of("bytes-per-task")]: bytes,
      },
      lines: [
        {
          measure: "active-1000",
          backend,
          figure: `${Math.round(most)} MB`,
          usage: result.usage,
          note: `worker's RSS; ${Math.round(result.stepsPerSecond)} steps/s of ${stepMs} ms, ${Math.round(bytes / 1_024)} kB per task in PostgreSQL`,
        },
      ],
    };
  });
});
