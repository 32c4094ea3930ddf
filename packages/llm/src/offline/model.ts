import type { ModelRef } from "@baton/core/plan";
import type { ModelReply, ModelRequest } from "@baton/core/ports";
import type { ModelEntry } from "../catalogue/entry.ts";

export const offlineRef: ModelRef = { provider: "offline", model: "offline-rules" };
export const offlineLabel = "[offline model]";
export const offlineEntry: ModelEntry = { id: offlineRef.model, contextWindow: 200_000, price: null };

export function createOfflineModel(options: { readonly latencyMs: number }, now: () => number) {
  return {
    async generate(request: ModelRequest): Promise<ModelReply> {
      throw new Error(`not yet ${request.brief.kind} ${options.latencyMs} ${now()}`);
    },
  };
}
