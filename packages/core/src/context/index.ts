export { createBudget } from "./budget.ts";
export type { Budget } from "./budget.ts";
export { batchesOf } from "./pieces.ts";
export { condenseMaterial, summarizePrompt, summarySoFar } from "./summary.ts";
export type { CondenseRequest, ContextSummary } from "./summary.ts";
export { renderMaterial } from "./rendering.ts";
export { bytesOf, decodeDataUrl, isText, tellAttachments } from "./attachments.ts";
