/**
 * The performers of Baton's own step types: plan, evaluate and reply.
 *
 * 1. Model calls and trace rows go through the attempt, which writes them however it ends.
 * 2. A performer decides nothing itself: the decisions are this room's exported functions.
 */
import type { Performer } from "@baton/core/ports";
import type { PerformerParts } from "./attempt.ts";
import { evaluatePerformer } from "./evaluate.ts";
import { planPerformer } from "./plan.ts";
import { replyPerformer } from "./reply.ts";

export function createPerformers(parts: PerformerParts): Readonly<Record<"plan" | "evaluate" | "reply", Performer>> {
  return { plan: planPerformer(parts), evaluate: evaluatePerformer(parts), reply: replyPerformer(parts) };
}
