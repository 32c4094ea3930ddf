/** What the rows and the event log say about the steps of some tasks. */
import type { World } from "./world.ts";

export interface StepFacts {
  readonly taskId: string;
  readonly state: string;
  readonly attemptNo: number;
  readonly crashCount: number;
  readonly failureCount: number;
  readonly error: { readonly code: string; readonly message: string } | null;
  /** `start`, `end`: unix ms of its first start, and of its last end of any kind. */
  readonly start: number;
  readonly end: number;
}

export async function stepsOf({ stack }: World, taskIds: readonly string[]): Promise<readonly StepFacts[]> {
  return await stack.database.read<StepFacts>(
    `select s.task_id as "taskId", s.state, s.attempt_no as "attemptNo", s.crash_count as "crashCount",
       s.failure_count as "failureCount", s.error,
       (select extract(epoch from min(created_at))::float8 * 1000 from baton.task_execution_trace t
        where t.task_id = s.task_id and t.step_id = s.step_id and type = 'step-started') as start,
       (select extract(epoch from max(created_at))::float8 * 1000 from baton.task_execution_trace t
        where t.task_id = s.task_id and t.step_id = s.step_id and type ~ '^step-(completed|failed|crashed|released|retry)') as end
     from baton.task_execution_step s where s.task_id = any ($1)`,
    [taskIds],
  );
}

export function expectEvery(steps: readonly StepFacts[], what: string, holds: (step: StepFacts) => boolean): void {
  const others = steps.filter((step) => !holds(step));
  if (others.length > 0 || steps.length === 0) throw new Error(`Not of every step: ${what}. ${JSON.stringify(others)}`);
}
