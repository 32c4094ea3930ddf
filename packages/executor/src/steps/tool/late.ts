/**
 * Calls whose outcome came after their attempt had stopped waiting.
 *
 * 1. A result that did happen is kept although the attempt is over: the ledger accepts it late.
 * 2. At most 1,000 calls are waited for; beyond that the oldest stays unknown, as after a crash.
 */
import type { StepRef } from "@baton/core";
import type { EngineStore, LogPort } from "@baton/core/ports";
import { encodeOutput } from "../../output/encoding.ts";
import { refusalOf } from "./refusal.ts";

const maxWaiting = 1_000;

export interface LateCall {
  readonly tool: string;
  readonly idempotencyKey: string;
  readonly output?: unknown;
  readonly error?: unknown;
}

export interface LateCalls {
  /** The call's outcome is unknown, and may still come. */
  expect(idempotencyKey: string, ref: StepRef, callNo: number): void;
  /** The outcome is known: nothing more is expected. */
  forget(idempotencyKey: string): void;
  /** It came. Never rejects. */
  arrived(call: LateCall): Promise<void>;
}

export function createLateCalls(store: Pick<EngineStore, "finishEffect">, log: LogPort): LateCalls {
  const waiting = new Map<string, { readonly ref: StepRef; readonly callNo: number }>();
  return {
    expect(idempotencyKey, ref, callNo) {
      waiting.set(idempotencyKey, { ref, callNo });
      const oldest = waiting.size > maxWaiting ? waiting.keys().next().value : undefined;
      if (oldest !== undefined) waiting.delete(oldest);
    },
    forget: (idempotencyKey) => void waiting.delete(idempotencyKey),
    async arrived({ tool, idempotencyKey, output, error }) {
      const call = waiting.get(idempotencyKey);
      waiting.delete(idempotencyKey);
      const refusal = error === undefined ? undefined : refusalOf(error);
      log.warn("tool-ended-late", { tool, idempotencyKey, known: call !== undefined, failed: error !== undefined });
      if (call === undefined || (error !== undefined && refusal === undefined)) return;
      try {
        const result =
          refusal === undefined
            ? { state: "succeeded" as const, resultJson: encodeOutput(output, "tool-output-invalid") }
            : { state: "refused" as const, resultJson: JSON.stringify(refusal) };
        await store.finishEffect(call.ref, { callNo: call.callNo, ...result });
      } catch (failure) {
        log.error("late-result-lost", { tool, idempotencyKey, error: failure });
      }
    },
  };
}
