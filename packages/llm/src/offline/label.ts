import type { ModelRef } from "@baton/core/plan";

/** Stands at the start of every text that this model answers. */
export const offlineLabel = "[offline model]";
export const offlineRef: ModelRef = { provider: "offline", model: "offline-rules" };
