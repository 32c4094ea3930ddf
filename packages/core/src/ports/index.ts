export type {
  BudgetAnswer,
  BudgetCall,
  BudgetPort,
  BudgetSettlement,
  DecisionBudgetCall,
  ToolBudgetCall,
  ModelBudgetCall,
} from "./budget.ts";
export { limitKinds } from "./gate.ts";
export type { Admission, CallNeed, CallPass, CallReport, LimitKind, ProviderGate, ToldLimit } from "./gate.ts";
export type { RateLimit, RateLimiter } from "./limiter.ts";
export type { LiveMessage, LivePort, LiveSubscription } from "./live.ts";
export type {
  CallBound,
  EvaluatedStep,
  Material,
  ModelBrief,
  ModelImage,
  ModelMessage,
  ModelPort,
  ModelReply,
  ModelRequest,
  ModelTool,
  ModelToolCall,
  ModelUsage,
  TokenCount,
  ToolSummary,
} from "./model.ts";
export type { LogPort, MeterLabels, MeterPort } from "./meter.ts";
export { agentFailPoints, failPoints } from "./performer.ts";
export type { FailPoint, Performed, PerformContext, Performer, StepRequest } from "./performer.ts";
export type { ConsumeOptions, QueueConsumer, QueueDepth, QueuePort, WakeUp } from "./queue.ts";
export type { ArtifactDraft, ArtifactRef, ToolCall, ToolEffect, ToolPort, ToolReconciliation } from "./tool.ts";
export { toolEffects } from "./tool.ts";
export type {
  AttemptCrash,
  AttemptNow,
  CallAccount,
  ChildTask,
  ClaimedStep,
  ClaimedTask,
  DispatchRequest,
  EffectIntent,
  EffectResult,
  EffectStart,
  EngineStore,
  HousekeepingStore,
  JournaledCall,
  NewChild,
  NewEdge,
  NewStep,
  NewTrace,
  Outcome,
  Session,
  SessionOptions,
  SettleAnswer,
  Settlement,
  StepError,
  StepOutput,
  StepType,
  StepUsage,
  StopSignal,
} from "./store.ts";
export { rootOf, stepTypes } from "./store.ts";
