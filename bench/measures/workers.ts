/**
 * `workers-2/1`: what a second worker adds, with 50 slots each and steps of 50 ms.
 *
 * 1. One and two workers alternate, each time on a new database; the ratio is that of the medians.
 * 2. The ratio without a load's name is the smaller one of chains and `wide`.
 */
import { runBodies, warmUp } from "./chain.ts";
import { median, onEachBackend, withSystem } from "./measure.ts";
import type { Bench } from "./measure.ts";
import { chainBody, wideBody } from "./plans.ts";
import type { Backend } from "../system/system.ts";

const stepMs = 50;
const loads = ["chain", "wide"] as const;
type Rates = Readonly<Record<(typeof loads)[number], number>>;

export const workers = onEachBackend("workers", async (bench, backend) => {
  const rounds = bench.smoke ? 1 : 3;
  const rates = new Map<number, Rates[]>([
    [1, []],
    [2, []],
  ]);
  for (let round = 0; round < rounds; round++) {
    for (const [count, own] of rates) own.push(await ratesOf(bench, backend, count));
  }
  const of = (count: number, load: keyof Rates) => median((rates.get(count) ?? []).map((each) => each[load]));
  const ratio = Object.fromEntries(loads.map((load) => [load, of(2, load) / of(1, load)])) as unknown as Rates;
  const prefix = backend === "redis" ? "workers-2/1" : `workers-2/1/${backend}`;
  return {
    values: Object.fromEntries(
      loads.flatMap((load) =>
        [1, 2].map((count) => [`workers-${count}/${load}/${backend}/steps-per-second`, of(count, load)]),
      ),
    ),
    ratios: {
      [prefix]: Math.min(...Object.values(ratio)),
      ...Object.fromEntries(loads.map((load) => [`${prefix}/${load}`, ratio[load]])),
    },
    lines: loads.map((load) => ({
      measure: `workers-2/1 ${load}`,
      backend,
      figure: `${ratio[load].toFixed(2)} ×`,
      note: `${Math.round(of(1, load))} steps/s with one worker, ${Math.round(of(2, load))} with two`,
    })),
  };
});

async function ratesOf(bench: Bench, backend: Backend, count: number): Promise<Rates> {
  const { tasks, steps, width } = bench.smoke
    ? { tasks: 6, steps: 2, width: 10 }
    : { tasks: 300, steps: 10, width: 1_500 };
  return await withSystem(bench, { backend, workers: count, env: { BATON_CONCURRENCY: "50" } }, async (system) => {
    await warmUp(bench, system);
    const chains = { bodies: [chainBody(steps, stepMs)], tasks, steps: tasks * steps };
    const chain = await runBodies(bench, system, chains);
    const wide = await runBodies(bench, system, { bodies: [wideBody(width, stepMs)], tasks: 2, steps: 2 * width });
    bench.say(
      `workers ${backend}: ${count} workers, chain ${Math.round(chain.stepsPerSecond)} steps/s, wide ${Math.round(wide.stepsPerSecond)} steps/s`,
    );
    return { chain: chain.stepsPerSecond, wide: wide.stepsPerSecond };
  });
}
