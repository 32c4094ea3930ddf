/** A step that kills whoever performs it, among long neighbours on one single worker, which its supervisor starts again. */
import { backends } from "../../stack/stack.ts";
import { until } from "../../stack/program.ts";
import type { ChaosCase } from "../harness/case.ts";
import { effectChain, misbehavingStep } from "../harness/plans.ts";
import { countSteps } from "../harness/rows.ts";
import { expectEvery, stepsOf } from "../harness/steps.ts";
import type { World } from "../harness/world.ts";

/** As a supervisor: whenever the worker has died, the next one starts. Resolves to how many died. */
async function superviseUntil(world: World, settled: Promise<void>): Promise<number> {
  let isSettled = false;
  void settled.then(
    () => (isSettled = true),
    () => (isSettled = true),
  );
  for (let deaths = 0; ; deaths++) {
    const [worker = await world.startWorker().catch(() => undefined)] = world.running();
    if (worker !== undefined) await Promise.race([worker.exited, settled]);
    if (isSettled) return deaths;
    world.faults.record("death", `${worker?.name ?? "a worker"} died of a step`, world.slots);
  }
}

export const poison: ChaosCase<{ poisoned: number; neighbours: number }> = {
  id: "poison",
  backends,
  claims: "a step that kills its worker every time is a dead letter after 3 crashes; its neighbours all complete",
  scale: { t: { poisoned: 1, neighbours: 5 }, l: { poisoned: 3, neighbours: 30 } },
  seconds: { t: 40, l: 120 },
  world: { workers: 1, slots: 50 },
  least: { faults: 2 },
  async run(world, { poisoned, neighbours }) {
    const others = await world.createTasks(neighbours, () => effectChain(1, { after_ms: 6_000 }));
    await until("the neighbours run", async () => (await countSteps(world, "running")) === neighbours);
    const ids = await world.createTasks(poisoned, () => misbehavingStep("kill", { before_ms: 500 }), "failed");
    const deaths = await superviseUntil(world, world.untilAllSettled());
    const facts = await stepsOf(world, ids);
    expectEvery(facts, "a dead letter after 3 crashes", ({ state, crashCount, error }) => {
      return state === "failed" && crashCount === 3 && error?.code === "worker-crash";
    });
    expectEvery(await stepsOf(world, others), "completed without a failure", ({ state, failureCount }) => {
      return state === "completed" && failureCount === 0;
    });
    // Alone, it takes nobody along: each poisoned step has at most two workers.
    if (deaths > 2 * poisoned) throw new Error(`${deaths} workers died of ${poisoned} steps.`);
  },
};
