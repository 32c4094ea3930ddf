/**
 * What an error that ended an attempt means.
 *
 * Purpose: one place that turns anything thrown into outcome, code and a bounded account. Boundary:
 * reads the error; counting failures and writing the dead letter belong to the store.
 *
 * 1. Total: whatever was thrown, a hostile getter included, has a classification; the default is `retry`.
 * 2. The outermost error that is known decides; a library's wrapper around a known error is looked through.
 * 3. Every text is well-formed and bounded: it is stored, and NUL or a lone surrogate would fail the flush.
 */
import { BatonError, RetryAfter, Suspend, TerminalError } from "../errors/errors.ts";
import { boundedText } from "../json/text.ts";
import { outcomeOfCode } from "./outcome.ts";
import type { ErrorOutcome } from "./outcome.ts";
import type { RetryPolicy } from "./policy.ts";

const maxMessageChars = 2_000;
const maxNameChars = 120;
const maxCauses = 8;
const maxAggregated = 3;

export interface ErrorCause {
  readonly code?: string;
  readonly name: string;
  readonly message: string;
}

export interface ErrorClassification {
  readonly outcome: ErrorOutcome;
  /** A system code, or the code that a steering error chose. */
  readonly code: string;
  readonly message: string;
  /** The callee's wish, unbounded; `nextDelayMs` bounds it. */
  readonly retryAfterMs?: number;
  /** From the error itself down to its first cause; at most 8 entries. */
  readonly causeChain: readonly ErrorCause[];
}

interface Verdict {
  readonly outcome: ErrorOutcome;
  readonly code: string;
  readonly retryAfterMs?: number;
}

function read(value: object, key: string): unknown {
  try {
    return Reflect.get(value, key);
  } catch (error) {
    return `unreadable: ${error instanceof Error ? error.name : typeof error}`;
  }
}

function textOf(value: unknown): string {
  if (typeof value === "string") return value;
  try {
    return JSON.stringify(value) ?? String(value);
  } catch (error) {
    return `a ${typeof value} that cannot be printed (${error instanceof Error ? error.name : typeof error})`;
  }
}

/** Connection attempts to several addresses reject with an AggregateError whose own message is empty. */
function messageOf(error: Error): string {
  const own = textOf(read(error, "message"));
  const parts = read(error, "errors");
  if (own !== "" || !Array.isArray(parts)) return own;
  return parts
    .slice(0, maxAggregated)
    .map((part) => (part instanceof Error ? textOf(read(part, "message")) : textOf(part)))
    .join("; ");
}

function causeOf(thrown: unknown): ErrorCause {
  if (!(thrown instanceof Error)) return { name: "NonError", message: boundedText(textOf(thrown), maxMessageChars) };
  const code = read(thrown, "code");
  return {
    ...(typeof code === "string" && { code: boundedText(code, maxNameChars) }),
    name: boundedText(textOf(read(thrown, "name")), maxNameChars),
    message: boundedText(messageOf(thrown), maxMessageChars),
  };
}

/** The error and its causes, outermost first; ends at a cycle, a missing cause or the bound. */
function chainOf(thrown: unknown): readonly unknown[] {
  const chain: unknown[] = [];
  for (let link = thrown; chain.length < maxCauses && !chain.includes(link); ) {
    chain.push(link);
    if (!(link instanceof Error)) break;
    link = read(link, "cause");
    if (link === undefined || link === null) break;
  }
  return chain;
}

function retryAfterOf(error: BatonError): { retryAfterMs: number } | undefined {
  const { retryAfterMs } = error.details;
  return typeof retryAfterMs === "number" && Number.isFinite(retryAfterMs) ? { retryAfterMs } : undefined;
}

function verdictOn(thrown: unknown): Verdict | undefined {
  if (thrown instanceof BatonError) {
    const asksPerson = thrown.details["asksPerson"] === true;
    const outcome = asksPerson ? "hold" : outcomeOfCode[thrown.code];
    return { outcome, code: thrown.code, ...retryAfterOf(thrown) };
  }
  if (thrown instanceof TerminalError) return { outcome: "fail", code: thrown.code };
  if (thrown instanceof RetryAfter) return { outcome: "retry", code: thrown.code, retryAfterMs: thrown.delayMs };
  if (thrown instanceof Suspend) return { outcome: "suspend", code: thrown.code };
  if (!(thrown instanceof Error)) return undefined;
  const name = read(thrown, "name");
  if (name === "AbortError") return { outcome: "aborted", code: "cancelled" };
  if (name === "TimeoutError") return { outcome: "retry", code: "deadline-exceeded" };
  return undefined;
}

const unknownError: Verdict = { outcome: "retry", code: "internal" };

/** What anything thrown means for the attempt. Never throws. */
export function classifyError(error: unknown): ErrorClassification {
  const chain = chainOf(error);
  const verdict = chain.map(verdictOn).find((found) => found !== undefined) ?? unknownError;
  const causeChain = chain.map(causeOf);
  return {
    ...verdict,
    code: boundedText(verdict.code, maxNameChars),
    message: causeChain[0]?.message ?? "",
    causeChain,
  };
}

/** Whether one more attempt is due after `failureCount` failures, the one just classified included. */
export function shouldRetry(
  classification: Pick<ErrorClassification, "outcome">,
  policy: RetryPolicy,
  failureCount: number,
): boolean {
  return classification.outcome === "retry" && failureCount < policy.maxAttempts;
}
