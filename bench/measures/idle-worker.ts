/** `idle-worker`: the processor time of a worker that has nothing to do. */
import { setTimeout as delay } from "node:timers/promises";
import { onEachBackend, withSystem } from "./measure.ts";

export const idleWorker = onEachBackend("idle-worker", async (bench, backend) => {
  const { settleMs, idleMs } = bench.smoke ? { settleMs: 100, idleMs: 300 } : { settleMs: 5_000, idleMs: 20_000 };
  return await withSystem(bench, { backend, workers: 1 }, async (system) => {
    // What a start leaves to be compiled and collected is not idleness.
    await delay(settleMs);
    const before = system.usage().workers;
    const begin = performance.now();
    await delay(idleMs);
    const percent = ((system.usage().workers - before) / ((performance.now() - begin) / 1_000)) * 100;
    return {
      values: { [`idle-worker/${backend}/processor-percent`]: percent },
      lines: [{ measure: "idle-worker", backend, figure: `${percent.toFixed(2)} %`, note: "of one core" }],
    };
  });
});
