export { migrate } from "./migrations/migrate.ts";
export type { MigrateResult } from "./migrations/migrate.ts";
export { openStore } from "./store.ts";
export type { Store, StoreOptions } from "./store.ts";
export type {
  ApiKeyRow,
  ArtifactRow,
  CheckpointRow,
  ClientStore,
  CreateTask,
  IdempotencyRef,
  IdempotencyStart,
  IntentAnswer,
  StepRow,
  StepsQuery,
  StoredAnswer,
  TaskRow,
  Wait,
} from "./client-store.ts";
export { maxInlineBytes, maxOutputBytes } from "./steps/attempts.ts";
