/** Workers are killed one after the other while they work, and replaced. */
import { setTimeout as delay } from "node:timers/promises";
import { backends } from "../../stack/stack.ts";
import type { ChaosCase } from "../harness/case.ts";
import { effectChain } from "../harness/plans.ts";

const everyMs = 2_000;

export const kill: ChaosCase<{ tasks: number; kills: number }> = {
  id: "kill",
  backends,
  claims:
    "a worker killed every 2 s under load: every task completes, one commit a step, at most kills × slots run again",
  scale: { t: { tasks: 60, kills: 4 }, l: { tasks: 1_000, kills: 20 } },
  seconds: { t: 20, l: 120 },
  world: { workers: 4 },
  async run(world, { tasks, kills }) {
    // Enough work for the kills to come under load, whatever the number of tasks is: slots × time ÷ steps.
    const busyMs = Math.ceil((kills * everyMs * 4 * world.slots) / (tasks * 5));
    await world.createTasks(tasks, (index) =>
      effectChain(5, { before_ms: world.random.between(0, busyMs), after_ms: busyMs / 2, label: `t${index}` }),
    );
    for (let count = 0; count < kills; count++) {
      await delay(everyMs);
      await world.kill(world.random.pick(world.running()));
      await world.startWorker();
    }
    await world.untilAllSettled();
  },
};
