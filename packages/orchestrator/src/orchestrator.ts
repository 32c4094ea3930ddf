import { BatonError } from "@baton/core";
import { taskSettings } from "@baton/core/task";
import type { TaskSettings } from "@baton/core/task";
import type { BatonEvent } from "@baton/core/events";
import type { ModelRef } from "@baton/core/plan";
import type { Material, ModelMessage, ModelPort, ToolSummary } from "@baton/core/ports";
import { type SummarizedContext, summarizeContext } from "./context/summarize.ts";
import { type Decision, shouldOrchestrate } from "./decision/decide.ts";
import type { ModelOptions } from "./model/access.ts";
import { shapeProblems } from "./model/object.ts";
import { type DecomposedGoal, decomposeGoal } from "./plan/decompose.ts";
import { evaluateProgress, type ProgressEvaluation, type TaskProgress } from "./progress/evaluate.ts";

export interface TaskOrchestratorOptions {
  readonly chatModel: { readonly models: ModelPort; readonly model?: ModelRef };
  /** Model-planned steps of a task; default 50. */
  readonly maxSteps?: number;
  /** Tokens of one prompt; default 100,000. */
  readonly contextWindowLimit?: number;
  /** A checkpoint after every so many settled steps; default 5. Part of `settings`. */
  readonly checkpointInterval?: number;
  /** Default 5. */
  readonly maxPlanRevisions?: number;
  /** Told about every trace row when it happens. */
  readonly trace?: (event: BatonEvent) => void;
}

/** The decisions of this room with one model and one set of limits, for programs that bring their own workers. */
export class TaskOrchestrator {
  /** The settings for tasks that this orchestrator plans, as `POST /api/v1/tasks` takes them. */
  readonly settings: TaskSettings;
  readonly #options: Omit<ModelOptions, "signal">;

  /** @throws BatonError unknown-model, or invalid-configuration naming the limit that is out of range */
  constructor(options: TaskOrchestratorOptions) {
    const { chatModel, trace, ...limits } = options;
    const model = chatModel.models.resolve(chatModel.model);
    const settings = taskSettings.safeParse({ ...limits, model });
    if (!settings.success) throw new BatonError("invalid-configuration", shapeProblems(settings.error).join("; "));
    this.settings = settings.data;
    this.#options = { models: chatModel.models, model, trace, contextWindowLimit: this.settings.contextWindowLimit };
  }

  shouldOrchestrate(message: string, signal?: AbortSignal): Promise<Decision> {
    return shouldOrchestrate(message, { ...this.#options, signal });
  }

  decomposeGoal(
    goal: string,
    tools: readonly ToolSummary[],
    options: { readonly input?: unknown; readonly signal?: AbortSignal } = {},
  ): Promise<DecomposedGoal> {
    const { maxSteps, concurrency } = this.settings;
    return decomposeGoal(goal, tools, { ...this.#options, ...options, maxSteps, concurrency });
  }

  evaluateProgress(task: TaskProgress, signal?: AbortSignal): Promise<ProgressEvaluation> {
    const { maxSteps, maxPlanRevisions } = this.settings;
    return evaluateProgress(task, { ...this.#options, signal, maxSteps, maxPlanRevisions });
  }

  summarizeContext(
    context: readonly (ModelMessage | Material)[],
    options: { readonly goal: string; readonly maxTokens?: number; readonly signal?: AbortSignal },
  ): Promise<SummarizedContext> {
    return summarizeContext(context, { ...this.#options, ...options });
  }
}
