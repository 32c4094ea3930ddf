/** `idle-chain` and `start-latency`: one task at a time on a system that has nothing else to do. */
import { chainBody } from "./plans.ts";
import { chainSize } from "./chain.ts";
import { onEachBackend, quantile, withSystem } from "./measure.ts";
import type { Bench, Measured } from "./measure.ts";
import type { Backend, System } from "../system/system.ts";

const runsOf = ({ smoke }: Bench): number => (smoke ? 3 : 200);
const warmUpOf = ({ smoke }: Bench): number => (smoke ? 1 : 50);

function measured(measure: string, backend: Backend, times: readonly number[]): Measured {
  const p50 = quantile(times, 0.5);
  const p99 = quantile(times, 0.99);
  return {
    values: { [`${measure}/${backend}/p50-ms`]: p50, [`${measure}/${backend}/p99-ms`]: p99 },
    lines: [
      {
        measure,
        backend,
        figure: `p50 ${p50.toFixed(1)} ms`,
        note: `p99 ${p99.toFixed(1)} ms, ${times.length} runs`,
      },
    ],
  };
}

/** Milliseconds from the POST to the end that the client is told. */
export async function idleChains(bench: Bench, system: System, runs: number): Promise<readonly number[]> {
  return (await bench.driver.oneByOne(system, chainBody(chainSize(bench).steps), runs)).result;
}

export const idleChain = onEachBackend("idle-chain", (bench, backend) =>
  withSystem(bench, { backend, workers: 1 }, async (system) => {
    await idleChains(bench, system, warmUpOf(bench));
    return measured("idle-chain", backend, await idleChains(bench, system, runsOf(bench)));
  }),
);

/** From the POST to the first step running, as the step itself says. */
export const startLatency = onEachBackend("start-latency", (bench, backend) =>
  withSystem(bench, { backend, workers: 1 }, async (system) => {
    const body = chainBody(1);
    await bench.driver.firstStarts(system, body, warmUpOf(bench));
    return measured("start-latency", backend, (await bench.driver.firstStarts(system, body, runsOf(bench))).result);
  }),
);
