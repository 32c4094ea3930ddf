/** The two loads, over whatever starts one chain and waits for its result. */
import { setTimeout as delay } from "node:timers/promises";
import type { ChainLoad, IdleLoad } from "./peer.ts";

/** Starts one chain of `steps` steps; resolves with the number of steps that the peer says it has run. */
export type RunChain = (steps: number) => Promise<number>;

/** Long enough for what a finished chain leaves to be written, short enough for many runs. */
const pauseMs = 20;

export async function runChains(load: ChainLoad, runChain: RunChain): Promise<number> {
  let left = load.tasks;
  const begin = performance.now();
  await Promise.all(
    Array.from({ length: Math.min(load.inFlight, load.tasks) }, async () => {
      while (left-- > 0) refuseOther(load.steps, await runChain(load.steps));
    }),
  );
  return (performance.now() - begin) / 1_000;
}

export async function runIdleChains(load: IdleLoad, runChain: RunChain): Promise<number[]> {
  const times: number[] = [];
  while (times.length < load.runs) {
    const begin = performance.now();
    refuseOther(load.steps, await runChain(load.steps));
    times.push(performance.now() - begin);
    await delay(pauseMs);
  }
  return times;
}

function refuseOther(expected: number, got: number): void {
  if (got !== expected) throw new Error(`A chain of ${expected} steps answered ${got}.`);
}
