/**
 * Calls that wait for a person's word before they are made.
 *
 * Purpose: from a rule and what a person has said so far to what becomes of the call now. Boundary: decides; the step
 * is put to rest by its outcome, and the call is made by effects/.
 *
 * 1. A call that a rule names is made with the arguments that a person approved, edited or not, and with no others.
 * 2. What the step asks for with other arguments than were shown is a new question.
 * 3. Expiry is not a rejection: the step ends as one that nobody answered, and asks anew when it is retried. So does a
 *    tool step after a rejection; an agent is told of one, and it stays in its history.
 */
import { isDeepStrictEqual } from "node:util";
import { BatonError } from "@baton/core";
import type { ClaimedStep, ToolSummary } from "@baton/core/ports";
import { type ApprovalRule, approvalNeeded, type AskedQuestion, type NewQuestion } from "@baton/core/questions";

export interface CallToJudge {
  readonly step: ClaimedStep;
  readonly tool: ToolSummary;
  readonly args: unknown;
  readonly callNo: number;
  readonly newId: () => string;
}

export type Verdict =
  | { readonly verdict: "call"; readonly args: unknown }
  | { readonly verdict: "ask"; readonly question: NewQuestion }
  | { readonly verdict: "rejected"; readonly error: BatonError };

/** Undefined: the call waits for nobody. */
export function ruleFor(
  rules: readonly ApprovalRule[],
  { task }: ClaimedStep,
  { name: tool, effect }: ToolSummary,
  args: unknown,
): ApprovalRule | undefined {
  return rules.length === 0 ? undefined : approvalNeeded(rules, { tool, effect, args, goal: task.goal });
}

/** `asked`: the newest question about this call. Throws `approval-expired`. */
export function judgeCall(rule: ApprovalRule, call: CallToJudge, asked: AskedQuestion | undefined): Verdict {
  const { step } = call;
  const ask = { verdict: "ask" as const, question: questionAbout(rule, call) };
  if (asked === undefined || !isAbout(asked, call)) return ask;
  switch (asked.state) {
    case "approved":
      return { verdict: "call", args: asked.answer };
    case "rejected":
      if (step.type === "tool" && !isFirstSince(asked, step)) return ask;
      return { verdict: "rejected", error: rejectionOf(asked, call.tool.name) };
    case "expired":
      if (!isFirstSince(asked, step)) return ask;
      throw new BatonError(
        "approval-expired",
        `Nobody answered in time whether "${call.tool.name}" may be called. Retry the step to ask again.`,
      );
    default:
      return ask;
  }
}

export function rejectionOf({ reason }: AskedQuestion, tool: string): BatonError {
  const why = reason === undefined ? "." : `: ${reason}`;
  return new BatonError("approval-rejected", `A person rejected the call of "${tool}"${why}`);
}

/** The attempt that the closing of the question woke; a later one was wanted by a person, or follows a crash. */
const isFirstSince = ({ attemptNo }: AskedQuestion, step: ClaimedStep): boolean => step.attemptNo === attemptNo + 1;

function isAbout({ subject }: AskedQuestion, { tool, args }: CallToJudge): boolean {
  return "tool" in subject && subject.tool === tool.name && isDeepStrictEqual(subject.arguments, plain(args));
}

function questionAbout(rule: ApprovalRule, { tool, args, callNo, newId }: CallToJudge): NewQuestion {
  const { approvers = [], quorum, expires_ms: expiresInMs } = rule;
  return {
    questionId: newId(),
    callNo,
    kind: "approval",
    subject: { tool: tool.name, effect: tool.effect, arguments: plain(args) },
    approvers,
    quorum,
    ...(expiresInMs !== undefined && { expiresInMs }),
  };
}

/** As JSON tells it to people. */
const plain = (args: unknown): unknown => JSON.parse(JSON.stringify(args ?? {}));
