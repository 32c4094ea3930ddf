/** What a worker would do, step by step, so that a test decides when. */
import type { ClaimedStep, NewTrace, Outcome, WakeUp } from "@baton/core/ports";
import type { Installation } from "./installation.ts";

/** The task's first wake-up: handed over by the store, or what its pump would dispatch now. */
export async function wakeUpOf(at: Installation, taskId: string): Promise<WakeUp> {
  for (const pool of ["default", "interactive"]) {
    at.wakeUps.push(...(await at.store.dispatchSteps({ pool, room: 1_000, queueWaiting: 1_000 })));
  }
  return at.wakeUps.findLast((wakeUp) => wakeUp.taskId === taskId) as WakeUp;
}

export async function claim(at: Installation, taskId: string): Promise<ClaimedStep> {
  return (await at.store.claimStep(await wakeUpOf(at, taskId))) as ClaimedStep;
}

export const completed = (output: unknown): Outcome => ({
  outcome: "completed",
  outputJson: JSON.stringify(output),
  deadEdges: [],
});

/** Settles, and tells watchers as the executor does. */
export async function settle(
  at: Installation,
  step: ClaimedStep,
  outcome: Outcome,
  options: { readonly mayContinue?: boolean; readonly traces?: readonly NewTrace[] } = {},
): Promise<ClaimedStep | undefined> {
  const { mayContinue = false, traces = [] } = options;
  const answer = await at.store.settleAttempt({
    ref: step.ref,
    attemptNo: step.attemptNo,
    outcome,
    traces,
    mayContinue,
  });
  at.live.publish(`task:${step.ref.taskId}`, { kind: "moved", stepId: step.ref.stepId });
  await at.live.flush();
  return answer.continuation;
}
