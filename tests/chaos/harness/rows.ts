/** What the cases ask of the rows while they run. */
import type { StepState } from "@baton/core/lifecycle";
import type { World } from "./world.ts";

/** Steps of the whole world in one state; only attempts from `attemptNo` on when it is given. */
export async function countSteps({ stack }: World, state: StepState, attemptNo = 0): Promise<number> {
  const [row] = await stack.database.read<{ count: number }>(
    "select count(*)::int as count from baton.task_execution_step where state = $1 and attempt_no >= $2",
    [state, attemptNo],
  );
  return row?.count ?? 0;
}
