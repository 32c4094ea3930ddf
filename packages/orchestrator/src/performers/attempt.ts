/** What an attempt hands to the decisions: its task's settings, its calls and its trace rows. */
import type { EngineStore, ModelPort, PerformContext, ToolPort, ToolSummary } from "@baton/core/ports";
import type { TaskSettings } from "@baton/core/task";
import type { ModelOptions } from "../model/access.ts";

export interface PerformerParts {
  readonly models: ModelPort;
  readonly tools: Pick<ToolPort, "list" | "refresh">;
  readonly store: Pick<EngineStore, "settledOutputs" | "threadMessages">;
  readonly newId: () => string;
  /** The pool of the steps that a plan adds. */
  readonly pool: string;
}

/** The key of the step that plans a goal: a plan's own step of that name would be a second row with the same key. */
export const reservedIds: ReadonlySet<string> = new Set(["plan"]);

export function modelOptionsOf(context: PerformContext, models: ModelPort): ModelOptions {
  const { settings } = context.step.task;
  return {
    models,
    model: settings.model,
    contextWindowLimit: settings.contextWindowLimit,
    signal: context.signal,
    trace: (event) => context.trace(event),
    generate: (purpose, request) => context.generate(purpose, request),
  };
}

export async function allowedTools(
  tools: Pick<ToolPort, "list" | "refresh">,
  settings: TaskSettings,
): Promise<readonly ToolSummary[]> {
  await tools.refresh?.();
  const allowed = settings.tools === undefined ? undefined : new Set(settings.tools);
  return tools.list().filter(({ name }) => allowed === undefined || allowed.has(name));
}
