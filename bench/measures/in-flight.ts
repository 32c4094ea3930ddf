/**
 * `in-flight-10000`: steps that wait in one worker's process, through the whole pipeline, over several leases of the
 * shipped length.
 *
 * 1. All of them wait at the same time before the lease's length begins to count; the worker says how many there are.
 * 2. A lease is lost when the session ended early, or a step needed more than one attempt.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { runBodies } from "./chain.ts";
import { keyOf, onEachBackend, whileSampling, withSystem } from "./measure.ts";
import type { Bench } from "./measure.ts";
import { gateBody } from "./plans.ts";
import { performing, readMetric } from "./worker-metrics.ts";
import type { System, Worker } from "../system/system.ts";

interface Size {
  readonly tasks: number;
  readonly width: number;
  /** From the last step's start until the gate opens. */
  readonly holdMs: number;
}

/** Two leases of 10 s and a half. */
const full: Size = { tasks: 10, width: 1_000, holdMs: 25_000 };
const tiny: Size = { tasks: 2, width: 10, holdMs: 500 };

export const inFlight = onEachBackend("in-flight-10000", async (bench, backend) => {
  const size = bench.smoke ? tiny : full;
  const steps = size.tasks * size.width;
  const env = bench.smoke ? {} : { BATON_CONCURRENCY: String(steps) };
  return await withSystem(bench, { backend, workers: 1, env }, async (system) => {
    const { result, most } = await whileSampling(runGated(bench, system, size), system.workerMegabytes);
    const lost = await lostLeases(system);
    const of = (metric: string) => keyOf("in-flight-10000", backend, metric);
    return {
      values: { [of("lost-leases")]: lost, [of("rss-mb")]: most },
      lines: [
        {
          measure: "in-flight-10000",
          backend,
          figure: `${Math.round(most)} MB`,
          usage: result.usage,
          note: `worker's RSS; ${lost} lost leases; all under way after ${(result.filledMs / 1_000).toFixed(1)} s`,
        },
      ],
    };
  });
});

async function runGated(bench: Bench, system: System, { tasks, width, holdMs }: Size) {
  const path = join(bench.servers.folder, `gate-${Date.now()}`);
  const [worker] = system.workers as readonly [Worker];
  const begin = performance.now();
  const load = { bodies: [gateBody(width, path)], tasks, steps: tasks * width };
  const running = runBodies(bench, system, load);
  let failure: Error | undefined;
  running.catch((error: Error) => (failure = error));
  while ((await performing(worker)) < tasks * width) {
    if (failure !== undefined) throw failure;
    await delay(50);
  }
  const filledMs = performance.now() - begin;
  await delay(holdMs);
  writeFileSync(path, "");
  return { ...(await running), filledMs };
}

async function lostLeases({ database, workers }: System): Promise<number> {
  const sessions = await Promise.all(workers.map((worker) => readMetric(worker, "baton_sessions_lost_total")));
  const [again] = await database.read<{ count: number }>(
    "select count(*)::int as count from baton.task_execution_step where attempt_no > 1",
  );
  return sessions.reduce((sum, count) => sum + count, again?.count ?? Number.NaN);
}
