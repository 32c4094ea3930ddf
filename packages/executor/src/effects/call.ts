/**
 * One call to the outside, recorded as intent before and result after: the caller's side of the effect ledger.
 *
 * Purpose: what a tool step does once and an agent many times. Boundary: which tool may be called, and what its failure
 * means to the step, is the performer's.
 *
 * 1. Nothing runs before its intent is stored; a call that succeeded on an earlier attempt is never repeated.
 * 2. "It did nothing" is believed only when the tool says so (or could not have run); every other failure
 *    leaves the effect unknown, and the ledger decides what the next attempt may do.
 * 3. A call in doubt whose tool declares `write` or `irreversible` is never made again on Baton's own account: the
 *    tool says what became of it (`reconcile`), or a person does, for whom the step is held.
 */
import { BatonError, TerminalError } from "@baton/core";
import type {
  EffectIntent,
  EffectResult,
  EffectStart,
  EngineStore,
  LogPort,
  PerformContext,
  ToolCall,
  ToolPort,
  ToolSummary,
} from "@baton/core/ports";
import { encodeOutput } from "../output/encoding.ts";
import { untilAnswered } from "../pipeline/patience.ts";
import type { LateCalls } from "./late.ts";
import { failureOf, refusalOf } from "./refusal.ts";

type Store = Pick<EngineStore, "startEffect" | "finishEffect" | "saveArtifact" | "readArtifact">;

/** Above it a result is not worth holding up a flush of many outcomes. */
const maxTravellingChars = 65_536;

export interface CallParts {
  readonly store: Store;
  readonly tools: ToolPort;
  readonly late: LateCalls;
  readonly log: LogPort;
  /** Unix ms. */
  readonly clock: () => number;
}

export interface AskedCall {
  readonly tool: ToolSummary;
  readonly args: unknown;
  /** From 1, the same on every attempt. */
  readonly callNo: number;
  /** Nothing follows it in its attempt but the outcome: then its result may travel with that. */
  readonly isLast: boolean;
}

/** Adds `tool-called`. Throws what the call threw, `effect-unknown`, `effect-mismatch`, `lease-lost`, or the abort reason. */
export async function callTool(parts: CallParts, context: PerformContext, asked: AskedCall): Promise<unknown> {
  const { tool, args, callNo, isLast } = asked;
  const { step } = context;
  const intent: EffectIntent = {
    ref: step.ref,
    attemptNo: step.attemptNo,
    callNo,
    tool: tool.name,
    effect: tool.effect,
    argumentsJson: encodeOutput(args, "tool-input-invalid"),
  };
  const start = await begin({ parts, context }, intent);
  const call = { parts, context, tool, args, intent, isLast, startedAt: parts.clock() };
  const { output, replayed } = await outputOf(call, start);
  if (isLast || replayed) context.trace(calledEvent(call, replayed));
  return output;
}

const calledEvent = ({ parts, tool, startedAt }: Call, replayed: boolean) => ({
  type: "tool-called" as const,
  data: { tool: tool.name, effect: tool.effect, durationMs: parts.clock() - startedAt, replayed },
});

interface Call {
  readonly parts: CallParts;
  readonly context: PerformContext;
  readonly tool: ToolSummary;
  readonly args: unknown;
  readonly intent: EffectIntent;
  readonly isLast: boolean;
  /** Unix ms. */
  readonly startedAt: number;
}

interface CallOutput {
  readonly output: unknown;
  /** Of an earlier attempt: nothing was called now. */
  readonly replayed: boolean;
}

async function begin({ parts, context }: Pick<Call, "parts" | "context">, intent: EffectIntent): Promise<EffectStart> {
  const start = await untilAnswered(() => parts.store.startEffect(intent), context.signal, parts.log, "start-effect");
  if (start === undefined) throw context.signal.reason;
  return start;
}

/** Not async, as nothing that only passes on a call's promise is: each would be kept for every call under way. */
function outputOf(call: Call, start: EffectStart): Promise<CallOutput> {
  const { tool, context } = call;
  switch (start.start) {
    case "replay":
      return Promise.resolve({ output: JSON.parse(start.resultJson), replayed: true });
    case "lease-lost":
      throw new BatonError("lease-lost", "The attempt lost its lease before the tool was called.");
    case "mismatch":
      throw new BatonError(
        "effect-mismatch",
        `An earlier attempt of step "${context.step.key}" called "${tool.name}" with other arguments. Compare with the recorded call (GET ${effectsPath(call)}), then resolve the step with its output, or skip it.`,
      );
    case "unknown":
      return reconcile(call);
    case "call":
      if (start.earlierUnknown) context.trace({ type: "effect-repeated", data: aboutCall(call) });
      return run(call, start.idempotencyKey);
  }
}

/** An earlier call is in doubt: the tool may know; else a person decides. */
async function reconcile(call: Call): Promise<CallOutput> {
  const { parts, context, tool, args, intent } = call;
  const why = "an earlier attempt began it, and no result of it is known";
  if (tool.reconciles !== true) throw inDoubt(call, why);
  const asked = parts.tools.reconcile?.(tool.name, args, toolCallOf(context, parts, keyOf(call)));
  const found = await asked?.catch((error: unknown) => {
    throw inDoubt(call, `${why}, and asking the tool failed: ${failureOf(error).message}`, error);
  });
  const outcome = found?.outcome ?? "unknown";
  context.trace({ type: "effect-reconciled", data: { ...aboutCall(call), outcome } });
  switch (found?.outcome) {
    case "done":
      await finish(call, "succeeded", encodeOutput(found.output, "tool-output-invalid"));
      return { output: found.output, replayed: true };
    case "not-done":
      return await outputOf(call, await begin(call, { ...intent, knownNotDone: true }));
    default:
      throw inDoubt(call, `${why}, and the tool cannot tell either`);
  }
}

async function run(call: Call, idempotencyKey: string): Promise<CallOutput> {
  const { parts, context, tool, args } = call;
  const { ref, attemptNo, callNo } = call.intent;
  await context.failPoint("before-effect");
  try {
    context.signal.throwIfAborted();
    await context.countToolCall();
  } catch (error) {
    await finish(call, "refused", JSON.stringify(failureOf(error)));
    throw error;
  }
  // Whatever happens from here on may arrive after this attempt has stopped waiting.
  parts.late.expect({ idempotencyKey, ref, callNo, attemptNo });
  let resultJson: string;
  let output: unknown;
  try {
    output = await parts.tools.run(tool.name, args, toolCallOf(context, parts, idempotencyKey));
    await context.failPoint("after-effect");
    resultJson = encodeOutput(output, "tool-output-invalid");
  } catch (error) {
    const refusal = refusalOf(error);
    if (refusal !== undefined) parts.late.forget(idempotencyKey, attemptNo);
    await finish(call, refusal === undefined ? "unknown" : "refused", JSON.stringify(refusal ?? failureOf(error)));
    if (refusal === undefined && mayNotRepeat(tool)) {
      const { message } = failureOf(error);
      context.trace({ type: "effect-unknown", data: { ...aboutCall(call), message } });
      // A tool that ends its step for good keeps its own error; the call stays in doubt in the ledger.
      if (!(error instanceof TerminalError)) throw inDoubt(call, message, error);
    }
    throw error;
  }
  parts.late.forget(idempotencyKey, attemptNo);
  await finish(call, "succeeded", resultJson);
  return { output, replayed: false };
}

const mayNotRepeat = ({ effect }: ToolSummary): boolean => effect === "write" || effect === "irreversible";

const keyOf = ({ intent }: Call): string => `${intent.ref.stepId}-${intent.callNo}`;

const effectsPath = ({ intent }: Call): string => `/api/v1/tasks/${intent.ref.taskId}/effects`;

function aboutCall(call: Call) {
  const { callNo: no, tool, effect } = call.intent;
  return { callNo: no, tool, effect, idempotencyKey: keyOf(call) };
}

/** While attempts are left, a tool that may know is asked again after the backoff. */
function inDoubt(call: Call, why: string, cause?: unknown): BatonError {
  const { tool, effect, ref } = call.intent;
  return new BatonError(
    "effect-unknown",
    `It is not known whether the call of "${tool}" (${effect}, key ${keyOf(call)}) took place: ${why.replace(/\.$/, "")}. Look outside, then say what you found: POST /api/v1/tasks/${ref.taskId}/steps/${ref.stepId}/effects/${call.intent.callNo}/resolve.`,
    { cause, details: { askAgain: call.tool.reconciles === true } },
  );
}

/**
 * Where a call is the attempt's last and may be repeated, its result travels with the outcome, unless it is large or
 * the attempt is over. Of any other call it is written at once: lost, it would leave a person to find out.
 * A write that is not answered is repeated.
 */
async function finish(call: Call, state: EffectResult["state"], resultJson: string): Promise<void> {
  const { parts, context, tool, intent } = call;
  const { callNo, attemptNo } = intent;
  const account = !call.isLast && state === "succeeded" && { account: { traces: [calledEvent(call, false)] } };
  const result = { callNo, attemptNo, state, resultJson, ...account };
  const travels = call.isLast && !mayNotRepeat(tool) && resultJson.length <= maxTravellingChars;
  if (travels && context.settleEffect(result)) return;
  const write = () => parts.store.finishEffect(context.step.ref, result);
  const written = await untilAnswered(write, context.signal, parts.log, "finish-effect");
  // The attempt was stopped while the store was away.
  if (written === undefined) context.settleEffect(result);
}

function toolCallOf(context: PerformContext, { store, clock }: CallParts, idempotencyKey: string): ToolCall {
  const { step, task, signal, deadlineAt } = context;
  return {
    ...step.ref,
    attemptNo: step.attemptNo,
    idempotencyKey,
    signal,
    deadlineAt,
    workspace: step.task.settings.workspace,
    progress: (message) => context.progress(message),
    now: clock,
    writeArtifact: (draft) => store.saveArtifact(step.ref, draft),
    async readArtifact(artifactId) {
      const artifact = await store.readArtifact(task, artifactId);
      if (artifact !== undefined) return artifact;
      throw new BatonError("not-found", `There is no artifact ${artifactId} in this task.`, {
        details: { sent: false },
      });
    },
  };
}
