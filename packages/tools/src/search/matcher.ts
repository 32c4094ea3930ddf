/**
 * Searching texts line by line, ignoring case.
 *
 * Boundary: knows texts, not files.
 *
 * 1. A pattern cannot hang the worker. Regular expressions come from models and V8's engine backtracks, so
 *    they run in a thread of their own that is terminated when one text takes longer than the budget.
 *    Rejected: a linear-time engine. re2 is a native build, re2js knows neither look-around nor
 *    back-references, and both would give a pattern another meaning than users know from JavaScript.
 *    The price is about 40 ms for starting the thread, once per search.
 * 2. A plain query never starts a thread: a literal cannot backtrack.
 */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { inputInvalid } from "../definition/refusals.ts";
import { type LineMatch, matchLines } from "./lines.ts";

export interface LineMatcher extends AsyncDisposable {
  /** At most `max` matches, in order. */
  match(text: string, max: number): Promise<LineMatch[]>;
}

export interface LineQuery {
  readonly query: string;
  readonly regex: boolean;
  readonly signal: AbortSignal;
  /** For one text, ms. */
  readonly budgetMs?: number;
}

/** Throws `tool-input-invalid` about `query` when it is no regular expression. */
export function createLineMatcher({ query, regex, signal, budgetMs = 5_000 }: LineQuery): LineMatcher {
  const pattern = compiled(query, regex);
  if (!regex) {
    return { match: async (text, max) => matchLines(pattern, text, max), [Symbol.asyncDispose]: async () => {} };
  }
  const thread = new Worker(new URL("./regex-thread.ts", import.meta.url), {
    workerData: query,
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: 256 },
  });
  const ended = new AbortController();
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => {}); // Observed by whichever match() is waiting; without one the next match() reports it.
  thread.once("error", (error) => failed.reject(error));
  return {
    match: async (text, max) => {
      const budget = AbortSignal.timeout(budgetMs);
      const stop = AbortSignal.any([signal, budget, ended.signal]);
      stop.throwIfAborted();
      thread.postMessage({ text, max });
      try {
        const [matches] = (await Promise.race([once(thread, "message", { signal: stop }), failed.promise])) as [
          LineMatch[],
        ];
        return matches;
      } catch (error) {
        await thread.terminate();
        signal.throwIfAborted();
        if (budget.aborted) throw tooSlow(budgetMs);
        throw error;
      }
    },
    [Symbol.asyncDispose]: async () => {
      ended.abort();
      await thread.terminate();
    },
  };
}

function compiled(query: string, regex: boolean): RegExp {
  if (!regex) return new RegExp(query.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"), "iu");
  try {
    return new RegExp(query, "iu");
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw inputInvalid("query", `is not a regular expression in JavaScript's Unicode syntax (${why}).`, cause);
  }
}

function tooSlow(budgetMs: number): Error {
  return inputInvalid("query", `needs more than ${budgetMs} ms on one text: avoid nested repetition such as (a+)+.`);
}
