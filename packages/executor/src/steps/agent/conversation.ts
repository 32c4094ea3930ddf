/**
 * An agent that answers in a conversation: what was said before, and what it leaves in its thread.
 *
 * 1. It is told the newest messages that fit half of its context; what is left out is said in the trace.
 * 2. Its answer is kept with the calls it made, bounded, in the parts that chat clients show.
 */
import { type CallResult, shownCallId } from "@baton/core/agent";
import { createBudget } from "@baton/core/context";
import type { ModelMessage, ModelToolCall, PerformContext } from "@baton/core/ports";
import { type AgentPerformerParts, modelOf, type Run } from "./run.ts";

const historyShare = 0.5;
/** Of an input or an output that stays in the thread; the ledger has the whole. */
const longestShown = 20_000;

export const isConversation = ({ brief }: Pick<Run, "brief">): boolean => brief.history !== undefined;

/** The thread before the message that is answered; what answers earlier messages came after it when it had to wait. */
export async function conversationBefore(
  { store, models }: AgentPerformerParts,
  context: PerformContext,
): Promise<readonly ModelMessage[]> {
  const { threadId, goal, settings } = context.step.task;
  if (threadId === undefined) return [];
  const messages = await store.threadMessages(context.task, threadId);
  const own = messages.findLastIndex(({ role, text }) => role === "user" && text.trim() === goal.trim());
  const before = messages
    .filter(({ role, text }, at) => text.trim() !== "" && (own === -1 || at < own || role === "assistant"))
    .map(({ role, text }): ModelMessage => ({ role, content: text }));
  const model = models.resolve(settings.model);
  const budget = createBudget(models, model, settings.contextWindowLimit, context.signal);
  let kept = before.length;
  for (let used = 0; kept > 0; kept -= 1) {
    used += await budget.estimateOf([before[kept - 1] as ModelMessage]);
    if (used > budget.usable * historyShare) break;
  }
  if (kept > 0) context.trace({ type: "note", data: { message: `${kept} older messages of the thread are left out` } });
  return before.slice(kept);
}

/** `text` is the whole answer; `parts` is how it came to it, as a chat client shows it. */
export function saidBy(run: Run): {
  readonly text: string;
  readonly parts: readonly unknown[];
  readonly model: unknown;
} {
  const text = run.turns.at(-1)?.text ?? "";
  const model = modelOf(run);
  if (run.turns.length === 1) return { text, parts: [{ type: "text", text }], model };
  const parts = run.turns.flatMap(({ text: said, toolCalls, results }, turn) => [
    { type: "step-start" },
    ...(said === "" ? [] : [{ type: "text", text: said, state: "done" }]),
    ...toolCalls.map((call, place) => callPart(shownCallId(turn + 1, place), call, results[place])),
  ]);
  return { text, parts, model };
}

function callPart(toolCallId: string, { tool, input }: ModelToolCall, result: CallResult | undefined) {
  const call = { type: "dynamic-tool", toolCallId, toolName: tool, input: shown(input) };
  if (result?.isError === true) return { ...call, state: "output-error", errorText: result.content };
  return { ...call, state: "output-available", output: result?.content ?? null };
}

function shown(value: unknown): unknown {
  const json = JSON.stringify(value) ?? "null";
  return json.length <= longestShown ? value : `${json.slice(0, longestShown).toWellFormed()}…`;
}
