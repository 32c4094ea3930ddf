/** A step's code holds the main thread of its worker for good. */
import { backends } from "../../stack/stack.ts";
import { until } from "../../stack/program.ts";
import type { ChaosCase } from "../harness/case.ts";
import { effectChain, misbehavingStep } from "../harness/plans.ts";
import { countSteps } from "../harness/rows.ts";
import { expectEvery, stepsOf } from "../harness/steps.ts";

/** From the deadline to the end of the process: 5 s, and what it takes to give up what ran beside it. */
const endsWithinMs = 10_000;

async function isReady(url: string): Promise<boolean> {
  const answer = await fetch(`${url}/health/ready`, { signal: AbortSignal.timeout(1_000) }).catch(() => undefined);
  return answer?.ok === true;
}

export const blockedLoop: ChaosCase<{ seconds: number; neighbours: number }> = {
  id: "blocked-loop",
  backends,
  claims:
    "user code that spins: one execution before its deadline, readiness red, the process ended 5 s after it, and only the step that spun is charged",
  scale: { t: { seconds: 8, neighbours: 3 }, l: { seconds: 85, neighbours: 8 } },
  seconds: { t: 35, l: 120 },
  world: { workers: 0 },
  async run(world, { seconds, neighbours }) {
    const worker = await world.startWorker();
    const others = await world.createTasks(neighbours, () => effectChain(1, { after_ms: 2_000 }));
    await until("the neighbours run", async () => (await countSteps(world, "running")) === neighbours);
    const plan = misbehavingStep("spin", { attempts: 1, timeoutMs: seconds * 1_000 });
    const ids = await world.createTasks(1, () => plan);
    await until(
      "it spins",
      async () => (await countSteps(world, "running")) === neighbours + 1 && !(await isReady(worker.url)),
    );
    world.faults.record("spin", worker.name, neighbours + 1);
    if ((await worker.exited) !== "SIGKILL") throw new Error(`${worker.name} ended by ${await worker.exited}.`);
    const endedAt = Date.now();
    const [spun] = await stepsOf(world, ids);
    const overMs = Math.round(endedAt - (spun?.start ?? 0) - seconds * 1_000);
    if (spun?.attemptNo !== 1 || overMs < 4_000 || overMs > endsWithinMs * world.slack)
      throw new Error(`Attempt ${spun?.attemptNo} of the step, its process ended ${overMs} ms after its deadline.`);
    await world.startWorker();
    await world.untilAllSettled();
    expectEvery(
      await stepsOf(world, ids),
      "charged once",
      ({ crashCount, attemptNo }) => crashCount === 1 && attemptNo === 2,
    );
    expectEvery(
      await stepsOf(world, others),
      "given back without a charge",
      ({ crashCount, failureCount, attemptNo }) => {
        return crashCount + failureCount === 0 && attemptNo === 2;
      },
    );
  },
};
