/** An attempt without a database: what it traced and streamed, and a store of rows that are given. */
import type { BatonEvent } from "@baton/core/events";
import type { ClaimedTask, EngineStore, ModelPort, PerformContext, StepOutput, StepType } from "@baton/core/ports";
import { taskSettings, type TaskSettingsInput } from "@baton/core/task";
import { createPerformers } from "../src/index.ts";
import { builtinTools } from "./models.fixture.ts";

type Messages = Awaited<ReturnType<EngineStore["threadMessages"]>>;

export interface AttemptParts {
  readonly models: ModelPort;
  readonly task?: Partial<Omit<ClaimedTask, "settings">>;
  readonly settings?: TaskSettingsInput;
  readonly outputs?: readonly StepOutput[];
  readonly messages?: Messages;
  readonly blobs?: Readonly<Record<string, unknown>>;
}

export function outputOf(key: string, output: unknown, more: Partial<StepOutput> = {}): StepOutput {
  const sizeBytes = JSON.stringify(output ?? null).length;
  return { key, stepId: `id-${key}`, description: key, state: "completed", output, sizeBytes, ...more };
}

export function attemptOf(type: "plan" | "evaluate" | "reply", parts: AttemptParts) {
  const traces: BatonEvent[] = [];
  const deltas: string[] = [];
  const calls: string[] = [];
  const signal = new AbortController().signal;
  const ref = { tenantId: "tenant", taskId: "task", stepId: "step" };
  const context: PerformContext = {
    step: {
      ref,
      attemptNo: 1,
      failureCount: 0,
      crashCount: 0,
      key: type,
      kind: type,
      type: type as StepType,
      description: "",
      config: {},
      retry: {},
      timeoutMs: 60_000,
      pool: "interactive",
      rank: 0,
      startedAt: 0,
      continued: false,
      joining: false,
      inputs: [],
      conditions: [],
      task: {
        kind: type === "reply" ? "reply" : "goal",
        goal: "the goal",
        input: null,
        threadId: undefined,
        revisionCount: 0,
        createdAt: 0,
        rootTaskId: undefined,
        depth: 0,
        ...parts.task,
        settings: taskSettings.parse(parts.settings ?? {}),
      },
    },
    task: { tenantId: "tenant", taskId: "task" },
    config: {},
    inputs: [],
    signal,
    deadlineAt: Date.now() + 60_000,
    readOutput: async ({ blobId, output }) => (blobId === undefined ? output : parts.blobs?.[blobId]),
    generateApart: () => Promise.reject(new Error("no agent here")),
    generate(purpose, request) {
      calls.push(purpose);
      return parts.models.generate({ ...request, signal });
    },
    trace: (event) => void traces.push(event),
    settleEffect: () => true,
    countToolCall: async () => {},
    progress: () => {},
    delta: (text) => void deltas.push(text),
    failPoint: async () => {},
  };
  let no = 0;
  const performers = createPerformers({
    models: parts.models,
    tools: { list: () => builtinTools },
    store: { settledOutputs: async () => parts.outputs ?? [], threadMessages: async () => parts.messages ?? [] },
    newId() {
      no += 1;
      return `new-${no}`;
    },
    pool: "default",
  });
  return { perform: () => performers[type](context), traces, deltas, calls };
}
