/** The step type `checkpoint`: a snapshot of the task's settled outputs, kept by the store. */
import { BatonError } from "@baton/core";
import type { EngineStore, Performer } from "@baton/core/ports";

export function createCheckpointPerformer(store: Pick<EngineStore, "saveCheckpoint">): Performer {
  return async ({ step }) => {
    const saved = await store.saveCheckpoint(step.ref, step.attemptNo);
    if (saved === "lease-lost")
      throw new BatonError("lease-lost", "The attempt lost its lease before the checkpoint was saved.");
    return { performed: "output", output: saved };
  };
}
