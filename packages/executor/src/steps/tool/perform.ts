/**
 * The step type `tool`: one call to the outside, recorded as intent before and result after.
 *
 * 1. Nothing runs before its intent is stored; a call that succeeded on an earlier attempt is never repeated.
 * 2. "It did nothing" is believed only when the tool says so (or could not have run); every other failure
 *    leaves the effect unknown, and the ledger decides what the next attempt may do.
 */
import { BatonError } from "@baton/core";
import type {
  EffectResult,
  EffectStart,
  EngineStore,
  LogPort,
  PerformContext,
  Performer,
  ToolCall,
  ToolPort,
  ToolSummary,
} from "@baton/core/ports";
import { encodeOutput } from "../../output/encoding.ts";
import { untilAnswered } from "../../pipeline/patience.ts";
import type { LateCalls } from "./late.ts";
import { failureOf, refusalOf } from "./refusal.ts";

type Store = Pick<EngineStore, "startEffect" | "finishEffect" | "saveArtifact" | "readArtifact">;

/** The one call of a tool step. */
const callNo = 1;

/** Above it a result is not worth holding up a flush of many outcomes. */
const maxTravellingChars = 65_536;

export interface ToolPerformerParts {
  readonly store: Store;
  readonly tools: ToolPort;
  readonly late: LateCalls;
  readonly log: LogPort;
  /** Unix ms. */
  readonly clock: () => number;
}

export function createToolPerformer(parts: ToolPerformerParts): Performer {
  return async (context) => {
    const { step, config } = context;
    const tool = parts.tools.find(String(config["tool"]));
    const args = config["arguments"] ?? {};
    const argumentsJson = encodeOutput(args, "tool-output-invalid");
    const { name, effect } = tool;
    const intent = { ref: step.ref, attemptNo: step.attemptNo, callNo, tool: name, effect, argumentsJson };
    const start = await untilAnswered(() => parts.store.startEffect(intent), context.signal, parts.log, "start-effect");
    if (start === undefined) throw context.signal.reason;
    const startedAt = parts.clock();
    const output = await outputOf({ parts, context, tool, args, start });
    context.trace({
      type: "tool-called",
      data: { tool: name, effect, durationMs: parts.clock() - startedAt, replayed: start.start === "replay" },
    });
    return { performed: "output", output };
  };
}

interface Call {
  readonly parts: ToolPerformerParts;
  readonly context: PerformContext;
  readonly tool: ToolSummary;
  readonly args: unknown;
  readonly start: EffectStart;
}

async function outputOf(call: Call): Promise<unknown> {
  const { start, tool, context } = call;
  switch (start.start) {
    case "replay":
      return JSON.parse(start.resultJson);
    case "lease-lost":
      throw new BatonError("lease-lost", "The attempt lost its lease before the tool was called.");
    case "mismatch":
      throw new BatonError(
        "effect-mismatch",
        `An earlier attempt of step "${context.step.key}" called "${tool.name}" with other arguments. Look at the recorded call, then resolve the step.`,
      );
    case "unknown":
      return await reconcile(call);
    case "call":
      return await run(call, start.idempotencyKey);
  }
}

/** An earlier call is in doubt: the tool may know; else a person decides. */
async function reconcile(call: Call): Promise<unknown> {
  const { parts, context, tool, args } = call;
  const key = `${context.step.ref.stepId}-${callNo}`;
  const found = await parts.tools.reconcile?.(tool.name, args, toolCallOf(context, parts, key));
  if (found?.outcome === "done") {
    await finish(call, "succeeded", encodeOutput(found.output, "tool-output-invalid"));
    return found.output;
  }
  if (found?.outcome === "not-done") return await run(call, key);
  throw new BatonError(
    "effect-unknown",
    `It is not known whether an earlier call of "${tool.name}" (effect: ${tool.effect}) took place. Check outside, then resolve the step with its output, or retry it.`,
  );
}

async function run(call: Call, idempotencyKey: string): Promise<unknown> {
  const { parts, context, tool, args } = call;
  const { ref } = context.step;
  await context.failPoint("before-effect");
  // Whatever happens from here on may arrive after this attempt has stopped waiting.
  parts.late.expect(idempotencyKey, ref, callNo);
  let resultJson: string;
  let output: unknown;
  try {
    output = await parts.tools.run(tool.name, args, toolCallOf(context, parts, idempotencyKey));
    await context.failPoint("after-effect");
    resultJson = encodeOutput(output, "tool-output-invalid");
  } catch (error) {
    const refusal = refusalOf(error);
    if (refusal !== undefined) parts.late.forget(idempotencyKey);
    await finish(call, refusal === undefined ? "unknown" : "refused", JSON.stringify(refusal ?? failureOf(error)));
    throw error;
  }
  parts.late.forget(idempotencyKey);
  await finish(call, "succeeded", resultJson);
  return output;
}

/**
 * The call is the attempt's last. Where it may be repeated, its result travels with the outcome, unless it is large or
 * the attempt is over. Of any other call it is written at once: lost, it would leave a person to find out.
 * A write that is not answered is repeated.
 */
async function finish({ parts, context, tool }: Call, state: EffectResult["state"], resultJson: string): Promise<void> {
  const result = { callNo, state, resultJson };
  const travels = (tool.effect === "read" || tool.effect === "idempotent") && resultJson.length <= maxTravellingChars;
  if (travels && context.settleEffect(result)) return;
  const write = () => parts.store.finishEffect(context.step.ref, result);
  await untilAnswered(write, context.signal, parts.log, "finish-effect");
}

function toolCallOf(context: PerformContext, { store, clock }: ToolPerformerParts, idempotencyKey: string): ToolCall {
  const { step, task, signal, deadlineAt } = context;
  return {
    ...step.ref,
    attemptNo: step.attemptNo,
    idempotencyKey,
    signal,
    deadlineAt,
    workspace: step.task.settings.workspace,
    progress: context.progress,
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
