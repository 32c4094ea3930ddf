/** One attempt of an agent, and how far its journal is. */
import { BatonError } from "@baton/core";
import type { AgentDefinition } from "@baton/core/agent";
import type { EngineStore, JournaledCall, ModelPort, PerformContext, ToolSummary } from "@baton/core/ports";
import type { CallParts } from "../../effects/call.ts";
import type { Turn } from "./journal.ts";
import type { AgentBrief } from "./prompt.ts";

export interface AgentPerformerParts extends CallParts {
  readonly store: CallParts["store"] & Pick<EngineStore, "journal">;
  readonly models: ModelPort;
}

export interface Run {
  readonly parts: AgentPerformerParts;
  readonly context: PerformContext;
  readonly definition: AgentDefinition;
  readonly brief: AgentBrief;
  readonly tools: ReadonlyMap<string, ToolSummary>;
  /** What earlier attempts left in the ledger. */
  readonly found: readonly JournaledCall[];
  readonly turns: Turn[];
  /** Of the next model call. */
  nextCallNo: number;
}

export const leaseLost = (): BatonError => new BatonError("lease-lost", "Another attempt of this agent has gone on.");
