/** Many workers come upon the same tasks at once, and one of them dies. */
import type { PlanSpec } from "@baton/core/plan";
import { until } from "../../stack/program.ts";
import { backends } from "../../stack/stack.ts";
import type { ChaosCase } from "../harness/case.ts";
import { effectFan } from "../harness/plans.ts";
import { countSteps } from "../harness/rows.ts";

const gateMs = 4_000;

/** A step that ends at `opensAt` (Unix ms), and `width` that begin then together and end together. */
function gated(width: number, opensAt: number): PlanSpec {
  const { steps } = effectFan(width, { after_ms: 1_000 });
  const gate = {
    id: "gate",
    type: "tool" as const,
    tool: "chaos.effect",
    arguments: { before_ms: opensAt - Date.now() },
  };
  return { steps: [gate, ...steps.map((step) => (step.id === "join" ? step : { ...step, depends_on: ["gate"] }))] };
}

export const crowd: ChaosCase<{ tasks: number; width: number }> = {
  id: "crowd",
  backends,
  claims: "workers that claim and settle steps of the same tasks at once never deadlock",
  scale: { t: { tasks: 12, width: 12 }, l: { tasks: 100, width: 100 } },
  seconds: { t: 15, l: 60 },
  world: { workers: 3, slots: 50 },
  // The one that is killed may have just settled everything.
  least: { recovered: 0 },
  async run(world, { tasks, width }) {
    const opensAt = Date.now() + gateMs;
    await world.createTasks(tasks, () => gated(width, Math.max(opensAt, Date.now())));
    await until(
      "half of the steps are settled",
      async () => (await countSteps(world, "completed")) >= (tasks * width) / 2,
    );
    await world.kill(world.random.pick(world.running()));
    await world.untilAllSettled();
  },
};
