/**
 * A call of the first model of a chain that is to be had.
 *
 * 1. Each model is asked once, in the order of the chain, and each change of models is a trace of its own.
 * 2. The offline model is no language model, and never takes the place of one.
 * 3. When none is to be had, the failure counts that leaves the step the most hope: one that waits, then one that is tried
 *    again.
 */
import { BatonError, RetryAfter } from "@baton/core";
import type { BatonEvent } from "@baton/core/events";
import type { ModelRef } from "@baton/core/plan";
import type { ModelPort } from "@baton/core/ports";
import { boundedText, classifyError, type ErrorOutcome, isFallBackCode } from "@baton/core/retry";

export interface Chain {
  readonly purpose: string;
  readonly models: Pick<ModelPort, "list" | "resolve">;
  readonly first: ModelRef;
  readonly fallbacks: readonly ModelRef[];
  trace(event: BatonEvent): void;
}

const hope: readonly ErrorOutcome[] = ["hold", "wait", "retry"];
const hopeOf = (error: unknown): number => {
  const place = hope.indexOf(classifyError(error).outcome);
  return place < 0 ? hope.length : place;
};

export async function firstOf<T>(chain: Chain, ask: (model: ModelRef) => Promise<T>): Promise<T> {
  const { purpose, first, fallbacks, trace } = chain;
  if (fallbacks.length === 0) return await ask(first);
  const left = fallbacks.map((ref) => languageModel(chain, ref)).filter((ref) => !isSame(ref, first));
  const failures: unknown[] = [];
  for (let model = first; ; ) {
    try {
      return await ask(model);
    } catch (error) {
      failures.push(error);
      if (!mayFallBack(error)) throw error;
      const next = left.shift();
      if (next === undefined) break;
      const { code, message } = classifyError(error);
      const data = { purpose, from: model, to: next, code, message: boundedText(message, 500) };
      trace({ type: "model-fallback", data });
      model = next;
    }
  }
  throw failures.toSorted((a, b) => hopeOf(a) - hopeOf(b))[0];
}

const isSame = (a: ModelRef, b: ModelRef): boolean => a.provider === b.provider && a.model === b.model;

/** What watchers have seen the beginning of is begun again by another attempt, where there may be one. */
function mayFallBack(error: unknown): boolean {
  if (!(error instanceof BatonError || error instanceof RetryAfter) || !isFallBackCode(error.code)) return false;
  const hasBegun = error instanceof BatonError && (error.details["text"] ?? "") !== "";
  return !hasBegun || classifyError(error).outcome === "fail";
}

function languageModel({ models }: Chain, ref: ModelRef): ModelRef {
  const found = models.resolve(ref);
  const isOffline = models.list().some(({ ref: each, offline }) => offline && isSame(each, found));
  if (!isOffline) return found;
  throw new BatonError(
    "unknown-model",
    "fallbackModels: the offline model takes no language model's place. Leave it out.",
  );
}
