/**
 * The scripted model server as the model of a stack: answers by what a prompt asks and by which test asks.
 *
 * 1. A test puts a word of its own (`caseWord`) into its goal or message; every prompt of it carries that word.
 * 2. What a test does not script is answered plainly, so a script says only what the test is about.
 */
import { randomUUID } from "node:crypto";
import {
  type ModelServer,
  type ModelServerRequest,
  type ScriptedReply,
  startModelServer,
} from "@baton/testing/model-server";

/** What Baton asks models for, by the first words of its instructions. */
const instructions = {
  decide: "Decide how a message is answered",
  plan: "You plan work",
  evaluate: "You judge whether",
  reply: "You answer in a conversation",
  summarize: "You condense material",
  reason: "You perform one step",
} as const;
export type Asked = keyof typeof instructions;

type Answer = ScriptedReply | ((no: number, request: ModelServerRequest) => ScriptedReply);
/** A list is answered in its order; its last reply stays. */
export type CaseScript = { readonly [A in Asked]?: Answer | readonly ScriptedReply[] };

const plain: Record<Exclude<Asked, "plan">, ScriptedReply> = {
  decide: { object: { orchestrate: false, confidence: 0.9, reasons: ["One answer is enough."] } },
  evaluate: { object: { verdict: "done", reason: "Every step has its output.", steps: [] } },
  reply: { text: "A plain reply." },
  summarize: { text: "A plain summary." },
  reason: { text: "A plain answer." },
};

export interface ScriptedModel {
  readonly url: string;
  /** For the processes of a stack. */
  readonly env: Readonly<Record<string, string>>;
  /** Scripts the answers to prompts that contain the word; resolves to the word. */
  script(answers: CaseScript, caseWord?: string): string;
  /** The requests whose prompts contain the word, without token counts, in order of arrival. */
  requests(caseWord: string, asked?: Asked): readonly ModelServerRequest[];
  close(): Promise<void>;
}

export function askedBy(request: ModelServerRequest): Asked | undefined {
  const system = JSON.stringify(request.body["system"] ?? "");
  return (Object.keys(instructions) as Asked[]).find((asked) => system.includes(instructions[asked]));
}

/** Everything that the model is told, as one text. */
export function promptOf(request: ModelServerRequest): string {
  const texts: string[] = [];
  const collect = (value: unknown): void => {
    if (typeof value === "string") texts.push(value);
    else if (Array.isArray(value)) for (const child of value) collect(child);
    else if (typeof value === "object" && value !== null) {
      const { text, content } = value as { text?: unknown; content?: unknown };
      collect(text ?? content);
    }
  };
  collect(request.body["system"]);
  collect(request.body["messages"]);
  return texts.join("\n");
}

export async function startScriptedModel(): Promise<ScriptedModel> {
  const cases = new Map<string, { readonly answers: CaseScript; readonly asked: Map<Asked, number> }>();
  const answer = (request: ModelServerRequest): ScriptedReply => {
    const prompt = promptOf(request);
    const asked = askedBy(request);
    if (asked === undefined) throw new Error(`A prompt that no instruction of ours begins: ${prompt.slice(0, 200)}`);
    const [, of] = [...cases].findLast(([word]) => prompt.includes(word)) ?? [];
    const no = of?.asked.get(asked) ?? 0;
    of?.asked.set(asked, no + 1);
    const scripted = of?.answers[asked];
    if (typeof scripted === "function") return scripted(no, request);
    const reply = isList(scripted) ? scripted[Math.min(no, scripted.length - 1)] : scripted;
    if (reply !== undefined) return reply;
    if (asked === "plan") return { text: "No plan was scripted." };
    return plain[asked];
  };
  const server: ModelServer = await startModelServer({ handler: answer });
  return {
    url: server.url,
    env: { ANTHROPIC_API_KEY: "test", ANTHROPIC_BASE_URL: server.url },
    script(answers, caseWord = `case-${randomUUID().slice(0, 8)}`) {
      cases.set(caseWord, { answers, asked: new Map() });
      return caseWord;
    },
    requests: (caseWord, asked) =>
      server.requests.filter(
        (request) =>
          request.path === "/v1/messages" &&
          promptOf(request).includes(caseWord) &&
          (asked === undefined || askedBy(request) === asked),
      ),
    close: () => server.close(),
  };
}

const isList = (answer: Answer | readonly ScriptedReply[] | undefined): answer is readonly ScriptedReply[] =>
  Array.isArray(answer);
