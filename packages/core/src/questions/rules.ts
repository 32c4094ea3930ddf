/**
 * Which calls of tools wait for a person's word, and whose.
 *
 * Purpose: one shape for the rules of a task and of an agent, and one decision from them. Boundary: pure; who asks and
 * who answers is the executor's and the store's.
 *
 * 1. The first rule that matches decides. A rule that cannot be judged matches: a doubt asks a person.
 * 2. A call that no rule names waits for nobody.
 */
import { z } from "zod";
import { evaluateExpression } from "../expressions/evaluation.ts";
import { celExpression } from "../plan/expression.ts";
import { type ToolEffect, toolEffects } from "../ports/tool.ts";

export const approvalRule = z
  .strictObject({
    /** Tools with one of these effects. */
    effects: z.array(z.enum(toolEffects)).min(1).optional(),
    /** Tools with one of these names; `mail.*` is every tool of `mail`. */
    tools: z.array(z.string().min(1).max(120)).min(1).max(200).optional(),
    /** Where it yields true; `input` is what the tool would be called with. */
    when: celExpression.optional(),
    /** Ids or names of the API keys that may answer; absent: every key that may write. */
    approvers: z.array(z.string().min(1).max(120)).min(1).max(50).optional(),
    /** How many of them have to agree. */
    quorum: z.int().min(1).max(20).default(1),
    /** After it nobody's word counts any more, and the step is a dead letter; absent: it waits for as long as it takes. */
    expires_ms: z
      .int()
      .min(1_000)
      .max(90 * 86_400_000)
      .optional(),
  })
  .refine(({ effects, tools, when }) => effects !== undefined || tools !== undefined || when !== undefined, {
    error: "name `effects`, `tools` or `when`",
  })
  .refine(({ approvers, quorum }) => approvers === undefined || quorum <= approvers.length, {
    error: "has a higher `quorum` than `approvers`",
  });
export type ApprovalRule = z.infer<typeof approvalRule>;

/** A call that is about to be made. */
export interface IntendedCall {
  readonly tool: string;
  readonly effect: ToolEffect;
  readonly args: unknown;
  readonly goal: string;
}

export function approvalNeeded(rules: readonly ApprovalRule[], call: IntendedCall): ApprovalRule | undefined {
  return rules.find((rule) => matches(rule, call));
}

function matches({ effects, tools, when }: ApprovalRule, { tool, effect, args, goal }: IntendedCall): boolean {
  if (effects !== undefined && !effects.includes(effect)) return false;
  if (tools !== undefined && !tools.some((name) => isNamed(name, tool))) return false;
  if (when === undefined) return true;
  try {
    return evaluateExpression(when.$cel, { steps: {}, input: args, goal }) !== false;
  } catch {
    return true;
  }
}

const isNamed = (pattern: string, tool: string): boolean =>
  pattern.endsWith(".*") ? tool.startsWith(pattern.slice(0, -1)) : tool === pattern;
