import { randomUUID } from "node:crypto";
import type { ToolCall } from "@baton/core/ports";

export interface RecordedCall extends ToolCall {
  readonly artifacts: Map<string, { ref: Awaited<ReturnType<ToolCall["writeArtifact"]>>; content: Uint8Array }>;
}

/** A call as the executor makes one, with artifacts in memory. */
export function toolCall(overrides: Partial<ToolCall> = {}): RecordedCall {
  const artifacts: RecordedCall["artifacts"] = new Map();
  return {
    tenantId: "tenant",
    taskId: "task",
    stepId: "step",
    attemptNo: 1,
    idempotencyKey: "step-1",
    signal: new AbortController().signal,
    deadlineAt: Date.now() + 60_000,
    workspace: undefined,
    progress: () => {},
    writeArtifact: async ({ name, mediaType, content }) => {
      const ref = { artifactId: randomUUID(), name, mediaType, sizeBytes: content.length };
      artifacts.set(ref.artifactId, { ref, content });
      return ref;
    },
    readArtifact: async (artifactId) => {
      const found = artifacts.get(artifactId);
      if (found === undefined) throw new Error(`no artifact ${artifactId}`);
      return found;
    },
    now: () => Date.UTC(2026, 0, 2, 3, 4, 5, 6),
    artifacts,
    ...overrides,
  };
}
