/**
 * `ask_user`: how an agent asks the people it works for. Its step waits without a worker.
 *
 * 1. The answer is data: it stands in the agent's history as the result of a call.
 * 2. A question that nobody answered in time is told to the agent as that, and it goes on.
 */
import type { CallResult } from "@baton/core/agent";
import type { ToolSummary } from "@baton/core/ports";
import { askUser, type AskedQuestion, type NewQuestion } from "@baton/core/questions";
import { z } from "zod";

const input = z.strictObject({
  question: z.string().trim().min(1).max(10_000),
  options: z.array(z.string().min(1).max(500)).max(20).optional(),
});

export const askUserTool: ToolSummary = Object.freeze({
  name: askUser,
  description:
    "Asks the person you work for, and waits for the answer, which may take hours. Ask only what you cannot find out yourself, and all of it at once.",
  inputSchema: z.toJSONSchema(input, { target: "draft-2020-12", io: "input" }) as Record<string, unknown>,
  outputSchema: { type: "string" },
  effect: "read",
});

/** What the agent is told of its question; undefined while it waits for an answer, or was not put yet. */
export function answerTold(args: unknown, asked: AskedQuestion | undefined): CallResult | undefined {
  if (asked?.state === "answered") return { content: String(asked.answer), isError: false };
  if (asked?.state === "expired") return { content: "Nobody answered in time.", isError: true };
  const parsed = input.safeParse(args);
  if (parsed.success) return undefined;
  const [issue] = parsed.error.issues;
  return { content: `tool-input-invalid: /${issue?.path.join("/") ?? ""}: ${issue?.message ?? ""}`, isError: true };
}

/** `args` are valid: otherwise the agent was told so. */
export function questionOf(
  args: unknown,
  callNo: number,
  answerMs: number | undefined,
  newId: () => string,
): NewQuestion {
  const { question: text, options } = input.parse(args);
  return {
    questionId: newId(),
    callNo,
    kind: "question",
    subject: { text, ...(options !== undefined && { options }) },
    approvers: [],
    quorum: 1,
    ...(answerMs !== undefined && { expiresInMs: answerMs }),
  };
}
