/** A worker ends itself at each of the moments at which dying has been dangerous in other systems. */
import { failPoints } from "@baton/core/ports";
import { isRunning, until } from "../../stack/program.ts";
import { backends } from "../../stack/stack.ts";
import type { ChaosCase } from "../harness/case.ts";
import { modelThenFan } from "../harness/plans.ts";
import type { World } from "../harness/world.ts";

/** One worker for each point; they have all the work until each has died. */
async function dieAtEveryPoint(world: World): Promise<void> {
  const doomed = await Promise.all(
    failPoints.map(async (at) => ({
      at,
      worker: await world.launchWorker({ failPoints: [{ at, signal: "SIGKILL", nth: world.random.between(1, 3) }] }),
    })),
  );
  await until("every worker has died at its point", async () => {
    const left = doomed.filter(({ worker }) => isRunning(worker));
    if (left.length > 0) await world.createTasks(left.length, () => modelThenFan(3));
    return left.length === 0;
  });
  for (const { at, worker } of doomed) {
    if (!worker.output().includes(`fail-point ${at}`))
      throw new Error(`${worker.name} ended without reaching ${at}:\n${worker.output()}`);
    world.faults.record("kill-point", at, world.slots);
  }
}

export const killPoint: ChaosCase<{ each: number }> = {
  id: "kill-point",
  backends,
  claims: "a worker that dies between any two writes of an attempt leaves nothing that another cannot take over",
  scale: { t: { each: 1 }, l: { each: 50 } },
  seconds: { t: 20, l: 600 },
  world: { workers: 0, slots: 4 },
  least: { faults: failPoints.length },
  async run(world, { each }) {
    for (let round = 0; round < each; round++) await dieAtEveryPoint(world);
    await Promise.all([world.startWorker(), world.startWorker()]);
    await world.untilAllSettled();
  },
};
