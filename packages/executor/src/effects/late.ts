/**
 * Calls whose outcome came after their attempt had stopped waiting.
 *
 * 1. A result that did happen is kept although the attempt is over: the ledger accepts it late.
 * 2. At most 1,000 calls are waited for; beyond that the oldest stays unknown, as after a crash.
 * 3. A call is known by its key and its attempt: several attempts make it under the same key.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { StepRef } from "@baton/core";
import type { EngineStore, LogPort } from "@baton/core/ports";
import { encodeOutput } from "../output/encoding.ts";
import { untilAnswered } from "../pipeline/patience.ts";
import { refusalOf } from "./refusal.ts";

const maxWaiting = 1_000;
/** How long an outage of the store may last before a late result is lost. */
const outageMs = 600_000;

export interface ExpectedCall {
  readonly idempotencyKey: string;
  readonly ref: StepRef;
  readonly callNo: number;
  readonly attemptNo: number;
}

export interface LateCall {
  readonly tool: string;
  readonly idempotencyKey: string;
  readonly attemptNo: number;
  readonly output?: unknown;
  readonly error?: unknown;
  /** It ended with its abort: nothing more is to come. */
  readonly isAbort?: boolean;
}

export interface LateCalls {
  /** The call's outcome is unknown, and may still come. */
  expect(call: ExpectedCall): void;
  /** The outcome is known: nothing more is expected. */
  forget(idempotencyKey: string, attemptNo: number): void;
  /** It came. Never rejects. */
  arrived(call: LateCall): Promise<void>;
  /** Resolves when nothing is expected any more and what came is kept, or after `withinMs`. */
  settled(withinMs: number): Promise<void>;
}

const lookEveryMs = 25;

export function createLateCalls(store: Pick<EngineStore, "finishEffect">, log: LogPort): LateCalls {
  const waiting = new Map<string, ExpectedCall>();
  const nameOf = (idempotencyKey: string, attemptNo: number): string => `${idempotencyKey}/${attemptNo}`;
  let keeping = 0;
  return {
    expect(call) {
      waiting.set(nameOf(call.idempotencyKey, call.attemptNo), call);
      const oldest = waiting.size > maxWaiting ? waiting.keys().next().value : undefined;
      if (oldest !== undefined) waiting.delete(oldest);
    },
    forget: (idempotencyKey, attemptNo) => void waiting.delete(nameOf(idempotencyKey, attemptNo)),
    async arrived({ tool, idempotencyKey, attemptNo, output, error, isAbort }) {
      const name = nameOf(idempotencyKey, attemptNo);
      const call = waiting.get(name);
      waiting.delete(name);
      if (isAbort === true) return;
      const refusal = error === undefined ? undefined : refusalOf(error);
      log.warn("tool-ended-late", { tool, idempotencyKey, known: call !== undefined, failed: error !== undefined });
      if (call === undefined || (error !== undefined && refusal === undefined)) return;
      keeping += 1;
      try {
        const result =
          refusal === undefined
            ? { state: "succeeded" as const, resultJson: encodeOutput(output, "tool-output-invalid") }
            : { state: "refused" as const, resultJson: JSON.stringify(refusal) };
        const write = () => store.finishEffect(call.ref, { callNo: call.callNo, attemptNo, ...result });
        const answer = await untilAnswered(write, AbortSignal.timeout(outageMs), log, "finish-effect");
        if (answer === undefined) throw new Error(`The store was away for ${outageMs} ms.`);
      } catch (failure) {
        log.error("late-result-lost", { tool, idempotencyKey, error: failure });
      } finally {
        keeping -= 1;
      }
    },
    async settled(withinMs) {
      const until = performance.now() + withinMs;
      while (waiting.size + keeping > 0 && performance.now() < until) await delay(lookEveryMs);
    },
  };
}
