/** Workers are killed one after the other while they work, and replaced. */
import { setTimeout as delay } from "node:timers/promises";
import { backends } from "../../stack/stack.ts";
import type { ChaosCase } from "../harness/case.ts";
import { effectChain, effectFan } from "../harness/plans.ts";
import type { World } from "../harness/world.ts";

const everyMs = 2_000;

/** A step that was there at three deaths is a dead letter by design: nobody who performs one with two is killed. */
async function killOneThatMayDie(world: World): Promise<void> {
  for (const worker of world.random.shuffle(world.running())) {
    // Stopped, so that it claims nothing more between the look and the kill.
    worker.kill("SIGSTOP");
    const [marked] = await world.stack.database.read<{ count: number }>(
      `select count(*)::int as count from baton.task_execution_step s join baton.worker_session w using (session_id)
       where w.pid = $1 and s.state = 'running' and s.crash_count >= 2`,
      [worker.process.pid],
    );
    if (marked?.count === 0) return await world.kill(worker);
    worker.kill("SIGCONT");
  }
}

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
    await world.createTasks(tasks, (index) => {
      const args = { before_ms: world.random.between(0, busyMs), after_ms: busyMs / 2, label: `t${index}` };
      return index % 2 === 0 ? effectChain(5, args) : effectFan(4, args);
    });
    for (let count = 0; count < kills; count++) {
      await delay(everyMs);
      await killOneThatMayDie(world);
      await world.startWorker();
    }
    await world.untilAllSettled();
  },
};
