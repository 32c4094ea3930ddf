/** One model turn: its intent before the call, and its answer with what it cost before anything that it asks for. */
import { BatonError } from "@baton/core";
import type { CallAccount, EffectIntent, EffectResult, ModelReply, ModelTool, NewTrace } from "@baton/core/ports";
import { boundedText } from "@baton/core/retry";
import { failureOf } from "../../effects/refusal.ts";
import { encodeOutput } from "../../output/encoding.ts";
import { untilAnswered } from "../../pipeline/patience.ts";
import { denialOf, modelCall, type Turn, type TurnRecord, turnOf } from "./journal.ts";
import { agentPrompt } from "./prompt.ts";
import { leaseLost, type Run } from "./run.ts";

/** Adds the turn to the run. Throws what the call threw, `output-cut`, `lease-lost`, or the abort reason. */
export async function think(run: Run): Promise<Turn> {
  const { parts, context, definition, turns, found, nextCallNo: callNo } = run;
  const { step, signal } = context;
  const model = parts.models.resolve(definition.model ?? step.task.settings.model);
  const intent: EffectIntent = {
    ref: step.ref,
    attemptNo: step.attemptNo,
    callNo,
    tool: modelCall,
    effect: "read",
    argumentsJson: JSON.stringify({ turn: turns.length + 1, model }),
  };
  const start = await untilAnswered(() => parts.store.startEffect(intent), signal, parts.log, "start-effect");
  if (start === undefined) throw signal.reason;
  if (start.start === "replay") return added(run, JSON.parse(start.resultJson) as TurnRecord).turn;
  if (start.start !== "call") throw leaseLost();
  const lostIn = found.find((call) => call.callNo === callNo)?.attemptNo ?? step.attemptNo - 1;
  const lost: NewTrace[] = start.earlierUnknown
    ? [{ type: "model-call-lost", data: { callNo, model, attemptNo: lostIn } }]
    : [];
  const { reply, account } = await askModel(run, model).catch(async (error: unknown) => {
    // Of a call that was given up in the middle nobody knows what it cost.
    if (!signal.aborted) await keep(run, { callNo, ...refused(failureOf(error)) }, { traces: lost });
    throw error;
  });
  if (reply.finishReason === "length") {
    const message = `A turn of step "${step.key}" was cut off. Let the agent answer in smaller pieces.`;
    const spent = { ...account, traces: [...lost, ...account.traces] };
    await keep(run, { callNo, ...refused({ code: "output-cut", message }) }, spent);
    throw new BatonError("output-cut", message);
  }
  const resultJson = await storable(reply).catch(async (error: unknown) => {
    await keep(run, { callNo, ...refused(failureOf(error)) }, { ...account, traces: [...lost, ...account.traces] });
    throw error;
  });
  // As another worker would read it.
  const { turn, denials } = added(run, JSON.parse(resultJson) as TurnRecord);
  const traces = [...lost, ...account.traces, ...denials];
  await keep(run, { callNo, state: "succeeded", resultJson }, { ...account, traces });
  return turn;
}

/** Rejects with `output-invalid` where the answer holds what no database keeps. */
async function storable({ text, usage, costUsd, model, toolCalls = [] }: ModelReply): Promise<string> {
  return encodeOutput({ text, toolCalls, usage, costUsd, model } satisfies TurnRecord, "output-invalid");
}

function askModel({ context, brief, turns, tools }: Run, model: ModelReply["model"]) {
  return context.generateApart("agent", {
    model,
    brief: { kind: "agent", goal: brief.goal, instruction: brief.prompt },
    messages: agentPrompt(brief, turns),
    tools: [...tools.values()].map(
      ({ name, description, inputSchema }): ModelTool => ({ name, description, inputSchema }),
    ),
    onDelta: (text) => context.delta(text),
  });
}

type Kept = Omit<EffectResult, "attemptNo" | "account">;

const refused = (failure: { readonly code: string; readonly message: string }) => ({
  state: "refused" as const,
  resultJson: JSON.stringify(failure),
});

async function keep({ parts, context }: Run, kept: Kept, account: CallAccount): Promise<void> {
  const { step, signal } = context;
  const write = () => parts.store.finishEffect(step.ref, { ...kept, attemptNo: step.attemptNo, account });
  const written = await untilAnswered(write, signal, parts.log, "finish-effect");
  if (written === undefined) throw signal.reason;
  // Another attempt has made the same call: its answer counts, and its worker goes on.
  if (written.late) throw leaseLost();
}

/** The turn in its place, and what the traces say of the calls that are denied. */
function added(run: Run, record: TurnRecord): { readonly turn: Turn; readonly denials: readonly NewTrace[] } {
  const { definition } = run;
  const { turn, nextCallNo } = turnOf(record, run.nextCallNo, run.tools, definition);
  const denials = turn.toolCalls.flatMap(({ tool }, place): NewTrace[] =>
    turn.callNos[place] === undefined
      ? [{ type: "tool-refused", data: { tool: boundedText(tool, 120), ...denialOf(tool, definition) } }]
      : [],
  );
  run.turns.push(turn);
  run.nextCallNo = nextCallNo;
  return { turn, denials };
}
