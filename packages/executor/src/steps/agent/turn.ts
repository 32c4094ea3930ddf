/** One model turn: its intent before the call, and its answer with what it cost before anything that it asks for. */
import { BatonError } from "@baton/core";
import type { CallAccount, EffectIntent, EffectResult, ModelReply, NewTrace } from "@baton/core/ports";
import { boundedText } from "@baton/core/retry";
import { failureOf } from "../../effects/refusal.ts";
import { encodeOutput } from "../../output/encoding.ts";
import { untilAnswered } from "../../pipeline/patience.ts";
import { denialOf, modelCall, type Turn, type TurnRecord, turnOf } from "./journal.ts";
import { fitPrompt, modelTools, roomOf } from "./history.ts";
import type { Omission } from "./prompt.ts";
import { leaseLost, modelOf, type Run } from "./run.ts";

/** Adds the turn to the run. Throws what the call threw, `output-cut`, `lease-lost`, or the abort reason. */
export async function think(run: Run): Promise<Turn> {
  const { parts, context, turns, found, nextCallNo: callNo } = run;
  const { step, signal } = context;
  const model = modelOf(run);
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
  const before: NewTrace[] = start.earlierUnknown
    ? [{ type: "model-call-lost", data: { callNo, model, attemptNo: lostIn } }]
    : [];
  const { reply, account } = await askModel(run, model, before).catch(async (error: unknown) => {
    // Of a call that was given up in the middle nobody knows what it cost.
    if (!signal.aborted) await keep(run, { callNo, ...refused(failureOf(error)) }, { traces: before });
    throw error;
  });
  if (reply.finishReason === "length") {
    const message = `A turn of step "${step.key}" was cut off. Let the agent answer in smaller pieces.`;
    const spent = { ...account, traces: [...before, ...account.traces] };
    await keep(run, { callNo, ...refused({ code: "output-cut", message }) }, spent);
    throw new BatonError("output-cut", message);
  }
  const resultJson = await storable(reply, run.omission).catch(async (error: unknown) => {
    await keep(run, { callNo, ...refused(failureOf(error)) }, { ...account, traces: [...before, ...account.traces] });
    throw error;
  });
  // As another worker would read it.
  const { turn, denials } = added(run, JSON.parse(resultJson) as TurnRecord);
  const traces = [...before, ...account.traces, ...denials];
  await keep(run, { callNo, state: "succeeded", resultJson }, { ...account, traces });
  return turn;
}

/** Rejects with `output-invalid` where the answer holds what no database keeps. */
async function storable({ text, usage, costUsd, model, toolCalls = [] }: ModelReply, omitted: Omission) {
  const isWhole = omitted.results === 0 && omitted.turns === 0;
  const record: TurnRecord = { text, toolCalls, usage, costUsd, model, ...(!isWhole && { omitted }) };
  return encodeOutput(record, "output-invalid");
}

/** A prompt that the provider finds too long is shortened once. Adds to `traces` what was left out. */
async function askModel(run: Run, model: ModelReply["model"], traces: NewTrace[]) {
  const { context, brief } = run;
  const room = await roomOf(run, model);
  const ask = async (always: boolean) => {
    const { messages, omission, compacted } = await fitPrompt(run, room, always);
    run.omission = omission;
    if (compacted !== undefined) {
      const { results, turns } = omission;
      traces.push({ type: "context-compacted", data: { turn: run.turns.length + 1, results, turns, ...compacted } });
    }
    return await context.generateApart("agent", {
      model,
      fallbacks: run.definition.fallback_models,
      brief: { kind: "agent", goal: brief.goal, instruction: brief.prompt },
      messages,
      tools: modelTools(run),
      onDelta: (text) => context.delta(text, run.turns.length + 1),
    });
  };
  try {
    return await ask(false);
  } catch (error) {
    const isTooLong = error instanceof BatonError && error.code === "context-too-large";
    // Its own word, when not even the least fits, is final.
    if (!isTooLong || error.details["provider"] === undefined) throw error;
    return await ask(true);
  }
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
  run.omission = record.omitted ?? run.omission;
  run.nextCallNo = nextCallNo;
  return { turn, denials };
}
