/** A step that never ends and hears of no abort: its attempt is ended at its deadline, and its slot is free again. */
import { backends } from "../../stack/stack.ts";
import type { ChaosCase } from "../harness/case.ts";
import { misbehavingStep } from "../harness/plans.ts";
import { expectEvery, stepsOf } from "../harness/steps.ts";

const timeoutMs = 2_000;
const endsWithinMs = timeoutMs + 5_000;

export const endless: ChaosCase<{ steps: number }> = {
  id: "endless",
  backends,
  claims: "a step that never ends is ended at its deadline + 5 s, as a failure, and nothing but it is disturbed",
  scale: { t: { steps: 20 }, l: { steps: 200 } },
  seconds: { t: 15, l: 90 },
  world: { workers: 1 },
  least: { recovered: 0 },
  async run(world, { steps }) {
    world.faults.record("endless", `${steps} steps that never end`);
    const ids = await world.createTasks(steps, () => misbehavingStep("endless", { timeoutMs }), "failed");
    await world.untilAllSettled();
    const within = endsWithinMs * world.slack;
    expectEvery(
      await stepsOf(world, ids),
      `failed at the deadline, within ${within} ms`,
      ({ error, attemptNo, start, end }) => {
        return (
          error?.code === "deadline-exceeded" &&
          attemptNo === 1 &&
          end - start >= timeoutMs - 50 &&
          end - start < within
        );
      },
    );
    if (world.running().length !== 1) throw new Error("The worker did not stay.");
  },
};
