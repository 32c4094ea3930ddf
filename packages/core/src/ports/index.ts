export type { LiveMessage, LivePort, LiveSubscription } from "./live.ts";
export type {
  EvaluatedStep,
  Material,
  ModelBrief,
  ModelMessage,
  ModelPort,
  ModelReply,
  ModelRequest,
  ModelUsage,
  TokenCount,
  ToolSummary,
} from "./model.ts";
export type { ConsumeOptions, QueueConsumer, QueueDepth, QueuePort, WakeUp } from "./queue.ts";
export type { ArtifactDraft, ArtifactRef, ToolCall, ToolEffect, ToolPort } from "./tool.ts";
export { toolEffects } from "./tool.ts";
