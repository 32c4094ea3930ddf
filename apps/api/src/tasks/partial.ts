/**
 * What a task has that ended before its end: outputs that nothing further was made of, and what is missing, with why.
 *
 * Boundary: reads the steps of the plan; items of a map stand in their map.
 */
import type { TaskRef } from "@baton/core";
import type { ClientStore, StepRow } from "@baton/store";
import { plannedSteps } from "./result.ts";
import { present } from "./wire.ts";

const mostSteps = 10_000;
const mostMissing = 100;
/** Up to 64 KB each stand in the answer. */
const mostOutputs = 20;

export async function partialOf(store: Pick<ClientStore, "listTaskSteps">, ref: TaskRef) {
  const steps = await plannedSteps(store, ref, mostSteps);
  const byId = new Map(steps.flatMap((step) => [[step.stepId, step] as const, [step.key, step] as const]));
  const used = new Set(
    steps
      .filter(({ state }) => state === "completed")
      .flatMap(({ dependsOn }) => dependsOn.map((id) => byId.get(id)?.stepId)),
  );
  const ends = steps.filter(({ state, stepId }) => state === "completed" && !used.has(stepId));
  const missing = steps.filter(({ state }) => state !== "completed" && state !== "skipped");
  return {
    outputs: await outputsOf(store, ref, ends.slice(-mostOutputs)),
    missing: missing.slice(0, mostMissing).map((step) => ({
      stepId: step.stepId,
      key: step.key,
      state: step.state,
      why: whyOf(step, (id) => byId.get(id)),
    })),
    missingSteps: missing.length,
  };
}

async function outputsOf(store: Pick<ClientStore, "listTaskSteps">, ref: TaskRef, ends: readonly StepRow[]) {
  return await Promise.all(
    ends.map(async ({ stepId, key, position }) => {
      const [whole] = await store.listTaskSteps(ref, { afterPosition: position - 1, limit: 1 });
      return { stepId, key, ...present({ output: whole?.output ?? undefined, outputBlobId: whole?.blobId }) };
    }),
  );
}

function whyOf({ state, error, dependsOn }: StepRow, find: (id: string) => StepRow | undefined): string {
  if (state === "failed" && error !== undefined) return `${error.code}: ${error.message}`;
  if (state === "cancelled") return "the task was cancelled";
  const open = dependsOn
    .map(find)
    .filter((step) => step !== undefined && step.state !== "completed" && step.state !== "skipped");
  if (open.length > 0) return `not begun: it needs ${open.map((step) => step?.key).join(", ")}`;
  return error === undefined
    ? "not begun when the task ended"
    : `not ended when the task did; before: ${error.code}: ${error.message}`;
}
