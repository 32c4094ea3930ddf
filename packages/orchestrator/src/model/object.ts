/**
 * Asks a model for an object, and asks again with the problems when the object will not do.
 *
 * 1. The answer counts only when `read` accepts it: no text is searched for words.
 * 2. An answer that is no JSON is repaired like one of the wrong shape; a refusal or a cut answer is the caller's error.
 * 3. A repair's prompt stays inside the limit: the rejected answer is shortened first.
 */
import { BatonError } from "@baton/core";
import type { ModelBrief, ModelMessage, ModelReply } from "@baton/core/ports";
import { boundedText } from "@baton/core/json";
import type { z } from "zod";
import type { ModelAccess } from "./access.ts";

export type Read<T> =
  | { readonly valid: true; readonly value: T }
  | { readonly valid: false; readonly problems: readonly string[] };

export interface ObjectQuestion<T> {
  readonly purpose: string;
  readonly brief: ModelBrief;
  readonly messages: readonly ModelMessage[];
  readonly outputSchema: Readonly<Record<string, unknown>>;
  readonly maxRepairs: number;
  read(object: unknown): Read<T>;
  onRejected?(problems: readonly string[], repair: number): void;
}

export type ObjectAnswer<T> =
  | { readonly answered: true; readonly value: T; readonly reply: ModelReply; readonly repairs: number }
  | { readonly answered: false; readonly problems: readonly string[]; readonly repairs: number };

const maxProblems = 20;
const maxProblemChars = 400;

/** @throws BatonError context-too-large, model-refused, or what `generate` throws */
export async function askForObject<T>(access: ModelAccess, question: ObjectQuestion<T>): Promise<ObjectAnswer<T>> {
  const { purpose, brief, outputSchema } = question;
  let { messages } = question;
  for (let repair = 0; ; repair += 1) {
    const answer = await answerTo(access, repair === 0 ? purpose : `${purpose}-repair`, {
      brief,
      messages,
      outputSchema,
    });
    const read =
      "problem" in answer ? { valid: false as const, problems: [answer.problem] } : question.read(answer.object);
    if (read.valid && answer.reply !== undefined)
      return { answered: true, value: read.value, reply: answer.reply, repairs: repair };
    const problems = listed(read.valid ? [] : read.problems);
    question.onRejected?.(problems, repair);
    if (repair === question.maxRepairs) return { answered: false, problems, repairs: repair };
    messages = await repairPrompt(access, question.messages, answer.text, problems);
  }
}

type RawAnswer =
  | { readonly object: unknown; readonly text: string; readonly reply: ModelReply }
  | { readonly problem: string; readonly text: string; readonly reply?: undefined };

async function answerTo(
  access: ModelAccess,
  purpose: string,
  request: Pick<ObjectQuestion<unknown>, "brief" | "messages" | "outputSchema">,
): Promise<RawAnswer> {
  try {
    const reply = await access.generate(purpose, { ...request, model: access.model });
    const { text } = reply;
    if (reply.finishReason === "refusal")
      throw new BatonError("model-refused", `The model refused: ${boundedText(text, 300)}`);
    return reply.object === undefined ? parsed(reply) : { object: reply.object, text, reply };
  } catch (error) {
    if (!(error instanceof BatonError) || error.code !== "output-invalid") throw error;
    const { text } = error.details;
    return { problem: error.message, text: typeof text === "string" ? text : "" };
  }
}

/** For ports that leave the parsing to the caller. */
function parsed(reply: ModelReply): RawAnswer {
  try {
    return { object: JSON.parse(reply.text), text: reply.text, reply };
  } catch (error) {
    return { problem: `the answer is not JSON: ${(error as Error).message}`, text: reply.text };
  }
}

function listed(problems: readonly string[]): readonly string[] {
  const shown = problems.slice(0, maxProblems).map((problem) => boundedText(problem, maxProblemChars));
  return problems.length > maxProblems ? [...shown, `and ${problems.length - maxProblems} more`] : shown;
}

async function repairPrompt(
  { budget }: ModelAccess,
  messages: readonly ModelMessage[],
  rejected: string,
  problems: readonly string[],
): Promise<readonly ModelMessage[]> {
  const withAnswer = (content: string): readonly ModelMessage[] => [
    ...messages,
    { role: "assistant", content },
    {
      role: "user",
      content: `That answer cannot be used:\n${problems.map((problem) => `- ${problem}`).join("\n")}\nAnswer again with the whole corrected JSON object and nothing else.`,
    },
  ];
  const leftOut = "(the answer, left out because it is too long)";
  const room = budget.limit - (await budget.count(withAnswer(leftOut)));
  if (room < 0) throw tooLarge(budget.limit);
  const shown = await budget.cut(rejected, Math.floor(room * 0.9));
  if (shown === "") return withAnswer(leftOut);
  return withAnswer(shown.length === rejected.length ? shown : `${shown}\n(cut)`);
}

export function tooLarge(limit: number): BatonError {
  return new BatonError(
    "context-too-large",
    `The prompt does not fit ${limit} tokens (contextWindowLimit, or the model's window). Shorten the goal or raise contextWindowLimit.`,
  );
}

/** What zod found, each with the place it was found at. */
export function shapeProblems(error: z.ZodError): readonly string[] {
  return error.issues.map(({ path, message }) => `${path.length === 0 ? "the answer" : path.join(".")}: ${message}`);
}
