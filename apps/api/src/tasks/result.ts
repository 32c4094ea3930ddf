/** What a completed task came to: its result expression, or the output of the last step without successors. */
import type { TaskRef } from "@baton/core";
import { evaluateExpression, referencedSteps } from "@baton/core/expressions";
import type { ClientStore, StepRow, TaskRow } from "@baton/store";

type Store = Pick<ClientStore, "listTaskSteps" | "settledOutputs" | "readOutput">;

const page = 1_000;

async function outputOf(
  store: Store,
  ref: TaskRef,
  step: { readonly output?: unknown; readonly blobId?: string | undefined },
): Promise<unknown> {
  return step.blobId === undefined ? step.output : await store.readOutput(ref, step.blobId);
}

/** The task's own steps without map items and without outputs, in the order of the plan. */
export async function plannedSteps(
  store: Pick<ClientStore, "listTaskSteps">,
  ref: TaskRef,
  atMost: number,
): Promise<StepRow[]> {
  const planned: StepRow[] = [];
  let afterPosition: number | undefined;
  for (;;) {
    const rows = await store.listTaskSteps(ref, {
      kinds: ["user"],
      items: false,
      withOutputs: false,
      limit: Math.min(page, atMost - planned.length),
      ...(afterPosition === undefined ? {} : { afterPosition }),
    });
    planned.push(...rows);
    afterPosition = rows.at(-1)?.position;
    if (rows.length < page || planned.length >= atMost) return planned;
  }
}

async function evaluated(store: Store, ref: TaskRef, task: TaskRow, source: string): Promise<unknown> {
  const wanted = new Set(referencedSteps(source));
  const steps: Record<string, { output: unknown; state: string }> = {};
  for (const output of await store.settledOutputs(ref)) {
    if (wanted.has(output.key)) steps[output.key] = { output: await outputOf(store, ref, output), state: output.state };
  }
  return evaluateExpression(source, { steps, input: task.input, goal: task.goal });
}

export async function resultOf(store: Store, task: TaskRow): Promise<unknown> {
  const ref = { tenantId: task.tenantId, taskId: task.taskId };
  if (task.kind === "reply") {
    const [reply] = await store.listTaskSteps(ref, { kinds: ["reply"], limit: 1 });
    return reply === undefined ? undefined : outputOf(store, ref, reply);
  }
  if (task.resultExpression !== undefined) return evaluated(store, ref, task, task.resultExpression.$cel);
  const steps = await plannedSteps(store, ref, 100_000);
  const depended = new Set(steps.flatMap(({ dependsOn }) => dependsOn));
  const last = steps.findLast(
    ({ key, stepId, state }) => state === "completed" && !depended.has(key) && !depended.has(stepId),
  );
  if (last === undefined) return undefined;
  const [whole = last] = await store.listTaskSteps(ref, { afterPosition: last.position - 1, limit: 1 });
  return outputOf(store, ref, whole);
}
