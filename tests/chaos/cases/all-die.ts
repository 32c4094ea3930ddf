/** Every worker dies with all slots in use; later others come. */
import { setTimeout as delay } from "node:timers/promises";
import { until } from "../../stack/program.ts";
import { backends } from "../../stack/stack.ts";
import type { ChaosCase } from "../harness/case.ts";
import { effectFan } from "../harness/plans.ts";
import { countSteps } from "../harness/rows.ts";

const workerCount = 2;
const slots = 25;

export const allDie: ChaosCase<{ steps: number }> = {
  id: "all-die",
  backends,
  claims:
    "every worker killed with its slots full: when workers are back, every task completes, and no hand was needed",
  scale: { t: { steps: 50 }, l: { steps: 500 } },
  seconds: { t: 15, l: 40 },
  world: { workers: workerCount, slots },
  // All slots are in use when it is looked; the first step may be settled before the blow falls.
  least: { faults: workerCount, recovered: (workerCount * slots) / 2 },
  async run(world, { steps }) {
    await world.createTasks(steps / 10, (index) => effectFan(10, { after_ms: 2_000, label: `t${index}` }));
    await until("every slot is in use", async () => (await countSteps(world, "running")) >= workerCount * slots);
    await Promise.all(world.running().map((worker) => world.kill(worker)));
    // Longer than the lease: when somebody is back, nothing is left of those that were here.
    await delay(4_000);
    await Promise.all([world.startWorker(), world.startWorker()]);
    await world.untilAllSettled();
  },
};
