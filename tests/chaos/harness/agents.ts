/**
 * An agent of twelve turns and twenty tool calls, and the model that it talks to: a scripted server on loopback that
 * answers by how far the conversation is, as a model does.
 */
import { agentDefinition } from "@baton/core/agent";
import type { PlanSpec } from "@baton/core/plan";
import { startModelServer } from "@baton/testing/model-server";
import type { ModelServerRequest, ScriptedReply } from "@baton/testing/model-server";

/** Tool calls of each turn; the last turn answers. */
const callsOfTurns = [2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 0];
export const turnCount = callsOfTurns.length;
export const callCount = callsOfTurns.reduce((sum, calls) => sum + calls, 0);

export interface AgentModel {
  /** Of a worker that may call it. */
  readonly env: Readonly<Record<string, string>>;
  /** How often each turn of the agent with this word was asked for, by its number from 1. */
  asked(word: string): ReadonlyMap<number, number>;
  /** Calls back when this turn of the agent with this word is asked for the first time, and never answers that. */
  holdOnce(word: string, turn: number, held: () => void): void;
  close(): Promise<void>;
}

const counter = agentDefinition.parse({
  name: "counter",
  description: "Counts to twenty.",
  instructions: "You count.",
  model: "anthropic/claude-sonnet-5-5",
  tools: ["chaos.effect"],
});

export const agentPlan = (word: string, pool: string): PlanSpec => ({
  steps: [
    {
      id: "agent",
      type: "agent",
      agent: counter,
      prompt: `Count to twenty, ${word}.`,
      pool,
    },
  ],
});

export const answerFor = (word: string): string => `Twenty things are done, ${word}.`;

export async function startAgentModel(): Promise<AgentModel> {
  const held = new Map<string, () => void>();
  const server = await startModelServer({
    handler(request) {
      const [word, turn] = [wordOf(request), turnOf(request)];
      const key = `${word}/${turn}`;
      const hold = held.get(key);
      if (hold === undefined) return replyOf(word, turn);
      held.delete(key);
      setImmediate(hold);
      return { text: "Half of an answer", fault: { kind: "hang", afterChunks: 2 } };
    },
  });
  return {
    env: { ANTHROPIC_API_KEY: "test", ANTHROPIC_BASE_URL: server.url },
    asked(word) {
      const turns = new Map<number, number>();
      for (const request of server.requests) {
        if (request.path !== "/v1/messages" || wordOf(request) !== word) continue;
        const turn = turnOf(request);
        turns.set(turn, (turns.get(turn) ?? 0) + 1);
      }
      return turns;
    },
    holdOnce: (word, turn, then) => void held.set(`${word}/${turn}`, then),
    close: () => server.close(),
  };
}

function replyOf(word: string, turn: number): ScriptedReply {
  const before = callsOfTurns.slice(0, turn - 1).reduce((sum, calls) => sum + calls, 0);
  const calls = Array.from({ length: callsOfTurns[turn - 1] ?? 0 }, (_, at) => ({
    name: "chaos_effect",
    input: { label: `${word}/${before + at + 1}` },
  }));
  return calls.length === 0 ? { text: answerFor(word) } : { text: "I go on.", toolCalls: calls };
}

const turnOf = ({ body }: ModelServerRequest): number =>
  (body["messages"] as readonly { readonly role: string }[]).filter(({ role }) => role === "assistant").length + 1;

const wordOf = ({ body }: ModelServerRequest): string =>
  /Count to twenty, ([\w-]+)\./.exec(JSON.stringify(body["messages"]))?.[1] ?? "";
