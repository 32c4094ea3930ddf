/**
 * The step type `reply`: answers a chat message that needs no plan.
 *
 * 1. The prompt stays below 80 % of the limit: what is older than fits is condensed, and the summary stands in its place.
 * 2. A cut or refused answer is never a reply.
 */
import { BatonError } from "@baton/core";
import { boundedText } from "@baton/core/json";
import type { EngineStore, ModelMessage, PerformContext, Performer } from "@baton/core/ports";
import { summarySoFar, tellAttachments } from "@baton/core/context";
import { condense, materialOf } from "../context/summarize.ts";
import { type ModelAccess, openModel } from "../model/access.ts";
import { tooLarge } from "../model/object.ts";
import { modelOptionsOf, type PerformerParts } from "./attempt.ts";

export function replyPerformer({ models, store }: PerformerParts): Performer {
  return async (context) => {
    const { goal: message, input } = context.step.task;
    const { text, images } = tellAttachments(input);
    const question: Question = { role: "user", content: `${message}${text}`, ...(images.length > 0 && { images }) };
    const access = openModel(modelOptionsOf(context, models));
    const history = await fittingHistory(access, question, await earlierMessages(context, store));
    const reply = await context.generate("reply", {
      model: access.model,
      brief: { kind: "reply", message, history },
      messages: replyPrompt(question, history),
      onDelta: (text) => context.delta(text),
    });
    if (reply.finishReason === "refusal")
      throw new BatonError("model-refused", `The model refused to answer: ${boundedText(reply.text, 300)}`);
    if (reply.finishReason === "length")
      throw new BatonError("output-cut", "The model's answer was cut off. Ask for less, or choose another model.");
    return { performed: "output", output: { text: reply.text, model: reply.model, offline: reply.offline } };
  };
}

/** The thread without the message that is being answered and what came after it. */
async function earlierMessages(
  { step, task }: PerformContext,
  store: Pick<EngineStore, "threadMessages">,
): Promise<readonly ModelMessage[]> {
  const { threadId, goal } = step.task;
  if (threadId === undefined) return [];
  const messages = await store.threadMessages(task, threadId);
  const own = messages.findLastIndex(({ role, text }) => role === "user" && text.trim() === goal.trim());
  const lastAnswer = messages.findLastIndex(({ role }) => role === "assistant");
  // What answers earlier messages came after this one where this one had to wait for it.
  return messages
    .filter(({ role }, at) => (own === -1 ? at <= lastAnswer : at < own || role === "assistant"))
    .filter(({ text }) => text.trim() !== "")
    .map(({ role, text }) => ({ role, content: text }));
}

type Question = Extract<ModelMessage, { readonly role: "user" }>;

function replyPrompt(question: Question, history: readonly ModelMessage[]): readonly ModelMessage[] {
  return [
    {
      role: "system",
      content: "You answer in a conversation. Be direct and correct; say so when you do not know.",
    },
    ...history,
    question,
  ];
}

/** All of the history, or a summary of its beginning and the newest messages. */
async function fittingHistory(
  access: ModelAccess,
  question: Question,
  history: readonly ModelMessage[],
): Promise<readonly ModelMessage[]> {
  const { budget } = access;
  if ((await budget.count(replyPrompt(question, history))) <= budget.usable) return history;
  const room = budget.usable - (await budget.count(replyPrompt(question, [])));
  if (history.length === 0 || room < 100) throw tooLarge(budget.usable);
  let kept = 0;
  for (let used = 0; kept < history.length; kept += 1) {
    const newest = history[history.length - 1 - kept];
    used += newest === undefined ? 0 : (await budget.count([newest])) + 8;
    if (used > room / 2) break;
  }
  const older = history.slice(0, history.length - kept);
  const { text } = await condense(
    access,
    older.map(materialOf),
    `Answer this message: ${await budget.cut(question.content, Math.floor(budget.usable / 4))}`,
    Math.floor(room / 3),
  );
  return [
    { role: "system", content: `${summarySoFar} of the earlier conversation:\n${text}` },
    ...history.slice(history.length - kept),
  ];
}
