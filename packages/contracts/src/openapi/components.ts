/** The named schemas of the document, converted once for requests and once for answers. */
import { modelRef, planSpec, stepSpec } from "@baton/core/plan";
import { z } from "zod";
import * as budget from "../wire/budget.ts";
import * as chat from "../wire/chat.ts";
import * as letter from "../wire/dead-letter.ts";
import * as effect from "../wire/effect.ts";
import * as mcp from "../wire/mcp.ts";
import { problem } from "../wire/problem.ts";
import * as service from "../wire/service.ts";
import * as task from "../wire/task.ts";
import * as trace from "../wire/trace.ts";

export type JsonSchema = Record<string, unknown>;

const requests: Readonly<Record<string, z.ZodType>> = {
  Plan: planSpec,
  PlanStep: stepSpec,
  ModelRef: modelRef,
  TaskSettingsInput: task.settingsInput,
  CreateTask: task.createTaskBody,
  Intent: task.intentBody,
  RetryDeadLetter: letter.retryLetterBody,
  RetryDeadLetters: letter.retryLettersBody,
  ResolveDeadLetter: letter.resolveLetterBody,
  ChangeBudget: budget.changeBudgetBody,
  TenantCaps: budget.tenantBudgetBody,
  Chat: chat.chatBody,
  Orchestrate: chat.orchestrateBody,
  CreateKey: service.createKeyBody,
};

const answers: Readonly<Record<string, z.ZodType>> = {
  Problem: problem,
  Task: task.task,
  CreatedTask: task.createdTask,
  TaskPage: task.taskPage,
  Step: task.step,
  StepPage: task.stepPage,
  Trace: trace.trace,
  StreamEnd: trace.streamEnd,
  TracePage: trace.tracePage,
  Checkpoint: task.checkpoint,
  CheckpointList: task.checkpointList,
  CheckpointContext: task.checkpointContext,
  Artifact: task.artifact,
  ArtifactList: task.artifactList,
  Why: task.whyAnswer,
  IntentAnswer: task.intentAnswer,
  DeadLetter: letter.deadLetter,
  DeadLetterDetails: letter.deadLetterDetails,
  DeadLetterPage: letter.deadLetterPage,
  TaskEffect: effect.taskEffect,
  DeadLettersRetried: letter.lettersRetried,
  DeadLetterAnswer: letter.letterAnswer,
  McpTool: mcp.mcpTool,
  TaskBudget: budget.taskBudgetAnswer,
  TenantBudget: budget.tenantBudgetAnswer,
  Usage: budget.usageAnswer,
  EscalatedReply: chat.escalatedReply,
  StopAnswer: chat.stopAnswer,
  Orchestrated: chat.orchestrated,
  Orchestration: chat.orchestration,
  OrchestrationCancelled: chat.orchestrationCancelled,
  ToolList: service.toolList,
  ModelList: service.modelList,
  CreatedKey: service.createdKey,
  ApiKeyList: service.apiKeyList,
  Health: service.health,
  Readiness: service.readiness,
};

const names = new Map<z.ZodType, string>(
  [...Object.entries(requests), ...Object.entries(answers)].map(([name, schema]) => [schema, name]),
);
const refTo = (name: string): string => `#/components/schemas/${name}`;

/** JSON Schema 2020-12 without the members that OpenAPI's document states once. */
function bare(schema: JsonSchema): JsonSchema {
  const { $schema: _dialect, $id: _id, id: _name, "~standard": _standard, ...rest } = schema;
  return rest;
}

function convert(schemas: Readonly<Record<string, z.ZodType>>, io: "input" | "output"): Record<string, JsonSchema> {
  const registry = z.registry<{ id: string }>();
  for (const [name, schema] of Object.entries(schemas)) registry.add(schema, { id: name });
  const converted = z.toJSONSchema(registry, { uri: refTo, io }).schemas as Record<string, JsonSchema>;
  return Object.fromEntries(Object.entries(converted).map(([name, schema]) => [name, bare(schema)]));
}

export function components(): Record<string, JsonSchema> {
  return { ...convert(requests, "input"), ...convert(answers, "output") };
}

/** A reference where the schema has a name, else the schema itself. */
export function schemaOf(schema: z.ZodType, io: "input" | "output"): JsonSchema {
  const name = names.get(schema);
  return name === undefined ? bare(z.toJSONSchema(schema, { io }) as JsonSchema) : { $ref: refTo(name) };
}
