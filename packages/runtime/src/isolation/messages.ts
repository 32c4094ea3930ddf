/** What a process and the one that it started for a single attempt say to each other. */
import type { ClaimedStep } from "@baton/core/ports";
import type { AttemptRecord, StopReason } from "@baton/executor";

export type ToChild = { readonly perform: ClaimedStep } | { readonly stop: StopReason };

/** `began`: the step's own code runs from now on. */
export type ToParent = { readonly began: true } | { readonly record: AttemptRecord };

/** Tells a program that it was started for one attempt. */
export const isolatedVariable = "BATON_ISOLATED";
