/** The performers of the step types that a plan may name. */
import type { EngineStore, LogPort, ModelPort, Performer, ToolPort } from "@baton/core/ports";
import { createAgentPerformer } from "./agent/perform.ts";
import { createCheckpointPerformer } from "./checkpoint/perform.ts";
import { createLlmPerformer } from "./llm/perform.ts";
import { createMapPerformer } from "./map/perform.ts";
import { createSummarizationPerformer } from "./summarization/perform.ts";
import type { LateCalls } from "../effects/late.ts";
import { createToolPerformer } from "./tool/perform.ts";

export interface StepPerformerParts {
  readonly store: EngineStore;
  readonly models: ModelPort;
  readonly tools: ToolPort;
  /** From createLateCalls; the tools' owner tells it about calls that end late. */
  readonly late: LateCalls;
  readonly log: LogPort;
  readonly newId: () => string;
  /** Unix ms. */
  readonly clock: () => number;
}

export function createStepPerformers({
  store,
  models,
  tools,
  late,
  log,
  newId,
  clock,
}: StepPerformerParts): Readonly<Record<"llm" | "agent" | "tool" | "map" | "checkpoint" | "summarization", Performer>> {
  return {
    llm: createLlmPerformer({ models, newId }),
    agent: createAgentPerformer({ store, models, tools, late, log, newId, clock }),
    tool: createToolPerformer({ store, tools, late, log, newId, clock }),
    map: createMapPerformer(store, newId),
    checkpoint: createCheckpointPerformer(store),
    summarization: createSummarizationPerformer({ store, models }),
  };
}
