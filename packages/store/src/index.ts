export { migrate } from "./migrations/migrate.ts";
export type { MigrateResult } from "./migrations/migrate.ts";
export { openStore } from "./store.ts";
export type { Store, StoreOptions } from "./store.ts";
export type {
  AgentRow,
  ApiKeyRow,
  ArtifactRow,
  BudgetChange,
  BudgetRow,
  CheckpointRow,
  ClientStore,
  CreateTask,
  DeadLetterGroupRow,
  DeadLetterPosition,
  DeadLetterRow,
  DeadLetterSelection,
  EffectAnswer,
  EffectRow,
  FailedStep,
  QuestionAnswer,
  QuestionRow,
  QuestionsQuery,
  QuestionWord,
  IdempotencyRef,
  IdempotencyStart,
  IntentAnswer,
  StepAnswer,
  StepResolution,
  StepRow,
  StepsQuery,
  StoredAnswer,
  TaskEffectRow,
  TaskRow,
  TenantScope,
  UsageQuery,
  UsageRow,
  Wait,
} from "./client-store.ts";
export type { McpServerRow, McpStore, McpToolRow } from "./mcp/mcp.ts";
export { maxInlineBytes, maxOutputBytes } from "./steps/attempts.ts";
