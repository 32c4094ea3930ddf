/** One attempt of an agent, and how far its journal is. */
import { BatonError } from "@baton/core";
import type { AgentDefinition } from "@baton/core/agent";
import type { ModelRef } from "@baton/core/plan";
import type { EngineStore, JournaledCall, ModelPort, PerformContext, ToolSummary } from "@baton/core/ports";
import type { ApprovalRule, AskedQuestion } from "@baton/core/questions";
import type { CallParts } from "../../effects/call.ts";
import type { NoteStore } from "../../memory/tools.ts";
import type { LongResults, Turn } from "./journal.ts";
import type { AgentBrief, Omission } from "./prompt.ts";

export interface AgentPerformerParts extends CallParts {
  readonly store: CallParts["store"] &
    NoteStore &
    Pick<EngineStore, "journal" | "questions" | "children" | "readOutput" | "threadMessages">;
  readonly models: ModelPort;
  readonly newId: () => string;
}

/** An agent that the run's may call. */
export interface SubAgent {
  readonly definition: AgentDefinition;
  readonly tool: ToolSummary;
}

export interface Run {
  readonly parts: AgentPerformerParts;
  readonly context: PerformContext;
  readonly definition: AgentDefinition;
  readonly brief: AgentBrief;
  readonly tools: ReadonlyMap<string, ToolSummary>;
  /** Among them, the agents that it may call. */
  readonly subAgents: ReadonlyMap<string, SubAgent>;
  readonly long: LongResults;
  /** All agents that may be reached from it. */
  readonly defined: readonly AgentDefinition[];
  /** Of the task, then its own. */
  readonly approvals: readonly ApprovalRule[];
  /** What it has asked people, the newest of each call, by its number. */
  readonly asked: ReadonlyMap<number, AskedQuestion>;
  /** What earlier attempts left in the ledger. */
  readonly found: readonly JournaledCall[];
  readonly turns: Turn[];
  /** Of the next model call. */
  nextCallNo: number;
  /** What the last prompt left out. */
  omission: Omission;
}

export const leaseLost = (): BatonError => new BatonError("lease-lost", "Another attempt of this agent has gone on.");

export const modelOf = ({ parts, definition, context }: Pick<Run, "parts" | "definition" | "context">): ModelRef =>
  parts.models.resolve(definition.model ?? context.step.task.settings.model);
