/** How well messages were decided: what was answered against what was labelled. */
import type { EvaluatedDecision } from "@baton/contracts";
import type { LabelledMessage } from "@baton/definitions";

export interface JudgedMessage {
  readonly id: string;
  readonly category: string;
  readonly heldOut: boolean;
  readonly expected: boolean;
  /** Absent when there was no answer. */
  readonly orchestrate?: boolean;
  /** The sign in the wording that decided; absent when a model did. */
  readonly rule?: string;
  readonly error?: string;
  readonly right: boolean;
  /** Why it was decided so, or why it was not. */
  readonly why: string;
}

/** What fails to answer is wrong, also when the wording stepped in. */
export function judgeDecision(
  { id, category, held_out: heldOut, orchestrate: expected }: LabelledMessage,
  { decision, error }: Pick<EvaluatedDecision, "decision" | "error">,
): JudgedMessage {
  const label = { id, category, heldOut, expected };
  if (error !== undefined) return { ...label, error: error.code, right: false, why: error.message };
  if (decision === undefined) return { ...label, error: "no-answer", right: false, why: "There was no answer." };
  const { orchestrate, reasons, rule } = decision;
  return {
    ...label,
    orchestrate,
    ...(rule !== undefined && { rule }),
    right: orchestrate === expected,
    why: reasons.join(" "),
  };
}

export interface DecisionScore {
  readonly count: number;
  readonly right: number;
  readonly errors: number;
  /** Of those it would orchestrate, the share that needs it; null when it would none. */
  readonly precision: number | null;
  /** Of those that need it, the share it would orchestrate; null when none needs it. */
  readonly recall: number | null;
  /** Decided by the wording, without asking the model. */
  readonly byWording: number;
}

export function scoreDecisions(judged: readonly JudgedMessage[]): DecisionScore {
  const needed = judged.filter(({ expected }) => expected);
  const chosen = judged.filter(({ orchestrate }) => orchestrate === true);
  const both = chosen.filter(({ expected }) => expected).length;
  return {
    count: judged.length,
    right: judged.filter(({ right }) => right).length,
    errors: judged.filter(({ error }) => error !== undefined).length,
    precision: chosen.length === 0 ? null : both / chosen.length,
    recall: needed.length === 0 ? null : both / needed.length,
    byWording: judged.filter(({ rule }) => rule !== undefined).length,
  };
}
