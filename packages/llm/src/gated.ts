/**
 * A call through the gate that all processes share.
 *
 * Purpose: ask before a call is sent, and tell what became of it. Boundary: when a call may go is the gate's to say; what a
 * failure means stands in providers/failure.ts.
 *
 * 1. A call that has to wait longer than a moment is not made: `provider-open` or `provider-throttled` with the time to come
 *    back. It has cost nothing. Only for the first answer of a model that was never called before it waits some seconds.
 * 2. The pace of the installation (`limiter`) is kept last, or calls that were let through would pile up behind it; but who
 *    is about to be refused takes no turn there.
 * 3. Where the gate is kept, a 429 is `provider-throttled`, and the failure of a call that looked whether the provider is
 *    back is `provider-open`: the step did not fail, it waits.
 */
import { BatonError, RetryAfter } from "@baton/core";
import type { ModelRef } from "@baton/core/plan";
import type { Admission, CallNeed, CallPass, CallReport, ModelRequest, ProviderGate } from "@baton/core/ports";
import { setTimeout as delay } from "node:timers/promises";
import { toldLimits } from "./providers/limits.ts";

/** The head of an answer, as soon as it is there. */
export type HeadListener = (headers: Headers) => void;

export interface GatedCalls {
  call<T>(request: ModelRequest, send: (onHead: HeadListener) => Promise<T>): Promise<T>;
  /** A moment ago this process was told that the model's provider is away. */
  isShut(model: ModelRef): boolean;
}

export interface GatedOptions {
  readonly gate: ProviderGate | undefined;
  readonly pace: (ref: ModelRef, signal: AbortSignal) => Promise<void>;
  /** Unix ms. */
  readonly now: () => number;
}

type Refused = Extract<Admission, { readonly refused: unknown }>["refused"];

/** As long as failures have to lie apart to count as one each; see report_calls in the store. */
const failureMemoryMs = 30_000;
const tellOkEveryMs = 1_000;
const probeEveryMs = 5_000;

export const keyOf = (ref: ModelRef): string => `${ref.provider}/${ref.model}`;

interface Memory {
  shutUntil: number;
  failedAt: number;
  toldOkAt: number;
  isHeard: boolean;
}

export function createGatedCalls({ gate, pace, now }: GatedOptions): GatedCalls {
  const memories = new Map<string, Memory>();
  const memoryOf = (key: string): Memory => {
    const known = memories.get(key) ?? { shutUntil: 0, failedAt: 0, toldOkAt: 0, isHeard: false };
    memories.set(key, known);
    return known;
  };
  const isShut = (model: ModelRef): boolean => memoryOf(keyOf(model)).shutUntil > now();

  async function pass(gateOf: ProviderGate, request: ModelRequest): Promise<CallPass> {
    const { model, signal } = request;
    for (;;) {
      const answer = await gateOf.admitCall(needOf(request));
      if ("pass" in answer) {
        await pause(answer.waitMs, signal);
        return answer.pass;
      }
      const { reason, waitMs } = answer.refused;
      if (reason === "open") memoryOf(keyOf(model)).shutUntil = now() + Math.min(waitMs, probeEveryMs);
      if (reason !== "unknown") throw refusal(model, answer.refused);
      // Once in the life of a model, and for a few seconds: not worth another attempt.
      await pause(Math.min(waitMs, 1_000), signal);
    }
  }

  function tellOk(gateOf: ProviderGate, own: CallPass): void {
    const memory = memoryOf(own.key);
    memory.shutUntil = 0;
    const isNews = own.isProbe || own.isWatched || memory.failedAt > now() - failureMemoryMs;
    if (!isNews && memory.toldOkAt > now() - tellOkEveryMs) return;
    memory.toldOkAt = now();
    gateOf.reportCall({ pass: own, outcome: "ok" });
  }

  return {
    isShut,
    async call(request, send) {
      const { model, signal } = request;
      signal.throwIfAborted();
      if (!isShut(model)) await pace(model, signal);
      signal.throwIfAborted();
      if (gate === undefined) return await send(() => undefined);
      const own = await pass(gate, request);
      try {
        const reply = await send((headers) => {
          const limits = toldLimits(headers, now());
          const memory = memoryOf(own.key);
          if (limits !== undefined) gate.reportCall({ pass: own, limits });
          else if (!memory.isHeard) gate.reportCall({ pass: own });
          memory.isHeard = true;
        });
        tellOk(gate, own);
        return reply;
      } catch (error) {
        if (signal.aborted) throw error;
        const failure = failureReport(error);
        if (failure.outcome === "ok") tellOk(gate, own);
        else {
          memoryOf(own.key).failedAt = now();
          gate.reportCall({ pass: own, ...failure });
        }
        throw waitsInstead(model, own, failure, error) ?? error;
      }
    },
  };
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (ms > 0) await delay(ms, undefined, { signal }).catch(() => undefined);
  signal.throwIfAborted();
}

/** Four characters a token: the answer's head corrects it. */
function needOf({ model, messages, maxOutputTokens }: ModelRequest): CallNeed {
  const inputTokens = Math.ceil(messages.reduce((sum, { content }) => sum + content.length, 0) / 4);
  return { key: keyOf(model), inputTokens, outputTokens: Math.min(maxOutputTokens ?? 1_000, 1_000) };
}

/** What a failed call says of its provider. One that answers, whatever it answers, is there. */
function failureReport(error: unknown): Omit<CallReport, "pass"> {
  const retryAfterMs = error instanceof RetryAfter ? { retryAfterMs: error.delayMs } : {};
  if (!(error instanceof BatonError || error instanceof RetryAfter)) return { outcome: "ok" };
  const isSilent = error instanceof BatonError && error.details["silent"] === true;
  if (error.code === "provider-rate-limited") return { outcome: "throttled", problem: error.message, ...retryAfterMs };
  if (error.code === "provider-unavailable" || isSilent)
    return { outcome: "away", problem: error.message, ...retryAfterMs };
  return { outcome: "ok" };
}

function refusal(model: ModelRef, refused: Refused): BatonError {
  const { reason, waitMs } = refused;
  const again = `Asked again in ${Math.ceil(waitMs / 1_000)} s.`;
  const code = reason === "open" ? "provider-open" : "provider-throttled";
  return new BatonError(code, `${keyOf(model)} ${words(refused)} ${again}`, {
    details: { provider: model.provider, model: model.model, retryAfterMs: waitMs, sent: false },
  });
}

function words({ reason, since, problem, kind, perMinute }: Refused): string {
  const said = problem === undefined ? "" : ` (${problem})`;
  switch (reason) {
    case "open":
      return `is away${since === undefined ? "" : ` since ${new Date(since).toISOString()}`}${said}: one call in 5 s looks whether it is back.`;
    case "unknown":
      return "has not answered its first calls yet, so nobody knows its limits.";
    case "asked-to-wait":
      return `has asked to be spared${said}.`;
    case "limit":
      return `allows ${perMinute} ${kind === "requests" ? "requests" : kind === "tokens" ? "tokens" : `${kind} tokens`} a minute, and they are used up.`;
    case "recovering":
      return "is back, and its calls come back step by step.";
  }
}

/** What is no failure of the step: a look after a provider that is still away, and too many calls of all processes. */
function waitsInstead(
  model: ModelRef,
  { isProbe }: CallPass,
  { outcome, retryAfterMs = 0 }: Omit<CallReport, "pass">,
  cause: unknown,
): BatonError | undefined {
  const [code, leastMs, what] =
    outcome === "throttled"
      ? (["provider-throttled", 1_000, "has asked to be spared"] as const)
      : (["provider-open", probeEveryMs, "is still away"] as const);
  if (outcome !== "throttled" && !(isProbe && outcome === "away")) return undefined;
  const details = cause instanceof BatonError ? cause.details : { sent: false };
  return new BatonError(code, `${keyOf(model)} ${what}: ${(cause as Error).message}`, {
    cause,
    details: { ...details, retryAfterMs: Math.max(leastMs, retryAfterMs) },
  });
}
