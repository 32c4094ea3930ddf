/** A worker that answers its probes, renews its lease, takes wake-ups, and gets nothing done. */
import { setTimeout as delay } from "node:timers/promises";
import { backends, type Worker } from "../../stack/stack.ts";
import type { ChaosCase } from "../harness/case.ts";
import { effectChain } from "../harness/plans.ts";

const failsWithinMs = 60_000;

async function liveness({ url }: Worker): Promise<{ readonly ok: boolean; readonly text: string }> {
  const answer = await fetch(`${url}/health/live`, { signal: AbortSignal.timeout(10_000) });
  return { ok: answer.ok, text: await answer.text() };
}

export const wedge: ChaosCase<{ idleSeconds: number }> = {
  id: "wedge",
  backends,
  claims: "a worker that takes wake-ups and gets nowhere is not alive within 60 s; one whose queue is empty is",
  scale: { t: { idleSeconds: 0 }, l: { idleSeconds: 90 } },
  seconds: { t: 50, l: 150 },
  world: { workers: 0, slots: 4 },
  async run(world, { idleSeconds }) {
    const wedged = await world.startWorker({ failPoints: [{ at: "after-fetch", signal: "hang" }] });
    const healthy = await world.startWorker();
    world.faults.record("hang", wedged.name, world.slots);
    const beganAt = performance.now();
    await world.createTasks(20, () => effectChain(2));
    await world.untilAllSettled();
    // Nothing is left to do: only the wedged one has something in hand.
    for (let judged = await liveness(wedged); judged.ok; judged = await liveness(wedged)) {
      if (performance.now() - beganAt > failsWithinMs)
        throw new Error(`Alive after ${failsWithinMs} ms: ${judged.text}`);
      const other = await liveness(healthy);
      if (!other.ok) throw new Error(`An idle worker is not alive: ${other.text}`);
      await delay(500);
    }
    for (let second = 0; second < idleSeconds; second++) {
      const other = await liveness(healthy);
      if (!other.ok) throw new Error(`An idle worker is not alive after ${second} s: ${other.text}`);
      await delay(1_000);
    }
    await world.kill(wedged);
  },
};
