/**
 * `chain`: tasks of steps that follow each other, continued in the worker's slot and through the queue alone.
 *
 * 1. A load in every way of keeping tasks in flight, then more rounds of the best one; the figure is their median.
 */
import type { Backend, System, Usage } from "../system/system.ts";
import { chainBody } from "./plans.ts";
import { median, onEachBackend, perThousand, together, total, withSystem } from "./measure.ts";
import type { Bench, Line, Measure, Measured } from "./measure.ts";

export type InFlight = number | "all";

export interface ChainSize {
  readonly tasks: number;
  readonly steps: number;
  readonly windows: readonly InFlight[];
  /** Of the best window, the first one included. */
  readonly rounds: number;
}

export interface ChainRun {
  readonly inFlight: InFlight;
  readonly seconds: number;
  readonly createdSeconds: number;
  readonly stepsPerSecond: number;
  /** Processor seconds per 1,000 steps. */
  readonly usage: Usage;
}

const full: ChainSize = { tasks: 1_000, steps: 10, windows: [100, 200, 400, "all"], rounds: 3 };
const tiny: ChainSize = { tasks: 12, steps: 3, windows: [6, "all"], rounds: 1 };

export const chainSize = (bench: Bench): ChainSize => (bench.smoke ? tiny : full);

/** Connections of the driver: as many requests as the api may have under way without queueing in it for long. */
const connections = 16;

export async function runChains(
  bench: Bench,
  system: System,
  { tasks, steps, inFlight }: { readonly tasks: number; readonly steps: number; readonly inFlight: InFlight },
): Promise<ChainRun> {
  const before = system.usage();
  const load = { bodies: [chainBody(steps)], tasks, inFlight, connections };
  const { result, processorSeconds } = await bench.driver.load(system, load);
  const usage = perThousand(before, system.usage(), processorSeconds, tasks * steps);
  return { inFlight, ...result, stepsPerSecond: (tasks * steps) / result.seconds, usage };
}

/** Of `bodies` that make `steps` steps; for measures that need no choice of how many tasks are in flight. */
export async function runBodies(
  bench: Bench,
  system: System,
  { bodies, tasks, steps }: { readonly bodies: readonly unknown[]; readonly tasks: number; readonly steps: number },
): Promise<Omit<ChainRun, "inFlight">> {
  const before = system.usage();
  const { result, processorSeconds } = await bench.driver.load(system, { bodies, tasks, inFlight: "all", connections });
  const usage = perThousand(before, system.usage(), processorSeconds, steps);
  return { ...result, stepsPerSecond: steps / result.seconds, usage };
}

/** So that what is measured is compiled code on open connections. */
export async function warmUp(bench: Bench, system: System): Promise<void> {
  if (bench.smoke) return;
  const { tasks, steps } = chainSize(bench);
  await runChains(bench, system, { tasks: Math.ceil(tasks / 5), steps, inFlight: "all" });
}

export const chainEnv = (queued: boolean): Readonly<Record<string, string>> =>
  queued ? { BATON_CONTINUATION: "off" } : {};

export const chain: Measure = onEachBackend("chain", async (bench, backend) =>
  together([await measureChain(bench, backend, false), await measureChain(bench, backend, true)]),
);

async function measureChain(bench: Bench, backend: Backend, queued: boolean): Promise<Measured> {
  const name = queued ? "chain-queued" : "chain";
  const { tasks, steps, windows, rounds } = chainSize(bench);
  return await withSystem(bench, { backend, workers: 1, env: chainEnv(queued) }, async (system) => {
    await warmUp(bench, system);
    const runs: ChainRun[] = [];
    for (const inFlight of windows) {
      runs.push(await runChains(bench, system, { tasks, steps, inFlight }));
      bench.say(`${name} ${backend}: ${lineOf(runs.at(-1) as ChainRun)}`);
    }
    const best = bestOf(runs);
    for (let round = 1; round < rounds; round++) {
      runs.push(await runChains(bench, system, { tasks, steps, inFlight: best.inFlight }));
      bench.say(`${name} ${backend}: ${lineOf(runs.at(-1) as ChainRun)}`);
    }
    const atBest = runs.filter(({ inFlight }) => inFlight === best.inFlight);
    const stepsPerSecond = median(atBest.map((run) => run.stepsPerSecond));
    const typical = atBest.find((run) => run.stepsPerSecond === stepsPerSecond) ?? best;
    const list = windows.map((window) => {
      const own = runs.find(({ inFlight }) => inFlight === window);
      return `${window}: ${Math.round(own?.stepsPerSecond ?? 0)}`;
    });
    const line: Line = {
      measure: name,
      backend,
      figure: `${Math.round(stepsPerSecond)} steps/s`,
      usage: typical.usage,
      note: `in flight ${list.join(", ")}`,
    };
    const values = {
      [`${name}/${backend}/steps-per-second`]: stepsPerSecond,
      [`${name}/${backend}/processor-seconds-per-1000-steps`]: total(typical.usage),
    };
    return { values, lines: [line] };
  });
}

export const bestOf = <Rate extends Pick<ChainRun, "inFlight" | "stepsPerSecond">>(runs: readonly Rate[]): Rate =>
  runs.reduce((best, run) => (run.stepsPerSecond > best.stepsPerSecond ? run : best));

export function lineOf({ inFlight, seconds, createdSeconds, stepsPerSecond, usage }: ChainRun): string {
  const spent = Object.entries(usage).map(([part, ms]) => `${part} ${ms.toFixed(3)}`);
  return `${inFlight} in flight, ${Math.round(stepsPerSecond)} steps/s in ${seconds.toFixed(2)} s (created after ${createdSeconds.toFixed(2)} s); processor s per 1,000 steps: ${spent.join(", ")}, in all ${total(usage).toFixed(3)}`;
}
