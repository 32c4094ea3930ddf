/**
 * What a provider's failure means to a step: one table for every wire.
 *
 * 1. Every failure becomes a BatonError or a RetryAfter; the vendor's error is its cause.
 * 2. What the provider names a time for (`Retry-After` in seconds or as an HTTP date,
 *    `retry-after-ms`) becomes RetryAfter with that delay.
 * 3. An answer that began with 200 and broke is `output-cut`, whatever broke it.
 *
 * | the provider says                                 | the step sees            | retried |
 * |---------------------------------------------------|--------------------------|---------|
 * | 429 or 5xx with Retry-After                       | RetryAfter               | yes     |
 * | 429                                               | provider-rate-limited    | yes     |
 * | 429, 400 or 402 about money or quota              | provider-spend-limit     | no      |
 * | 529, 5xx, 408, 409; refused, reset, no route      | provider-unavailable     | yes     |
 * | 401, 403                                          | provider-auth            | no      |
 * | 413, 400 "prompt is too long" and its likes       | context-too-large        | no      |
 * | other 4xx                                         | provider-rejected        | no      |
 * | 200 that broke off, or has no finish reason       | output-cut               | yes     |
 * | 200 with an error inside                          | as the status it stands for |      |
 */
import { BatonError, RetryAfter } from "@baton/core";
import type { ErrorCode } from "@baton/core";
import type { ModelRef } from "@baton/core/plan";

/** A vendor's error, read once into what the table needs. */
export interface ProviderFailure {
  readonly status: number | undefined;
  readonly headers: Readonly<Record<string, string>>;
  /** Message, error type and body, for the few cases that only the words tell apart. */
  readonly words: string;
  readonly message: string;
  /** True when the answer had begun with 200. */
  readonly begun: boolean;
  readonly cause: unknown;
}

const statusOfType: Readonly<Record<string, number>> = {
  overloaded_error: 529,
  rate_limit_error: 429,
  rate_limit_exceeded: 429,
  insufficient_quota: 429,
  api_error: 500,
  server_error: 500,
  timeout_error: 504,
  authentication_error: 401,
  permission_error: 403,
  not_found_error: 404,
  request_too_large: 413,
  billing_error: 402,
  invalid_request_error: 400,
};

/** Only words that never mean a limit per minute: "quota" and "billing details" do at some vendors. */
const aboutMoney =
  /insufficient_quota|billing_error|billing[ _]hard[ _]limit|credit balance|specified API usage limits|spend(?:ing)? limit/i;
const aboutLength =
  /prompt is too long|context_length_exceeded|context (length|window)|maximum context|too many tokens|exceeds? the (model's )?context/i;

export function failureError(failure: ProviderFailure, ref: ModelRef, now: () => number): BatonError | RetryAfter {
  const status = failure.status;
  const name = `${ref.provider}/${ref.model}`;
  const delayMs = retryAfterMs(failure.headers, now());
  const code = codeOf(failure, status);
  const retryable = code === "provider-rate-limited" || code === "provider-unavailable";
  const said = `${name}${status === undefined ? "" : ` answered ${status}`}: ${failure.message}`;
  if (retryable && delayMs !== undefined) return new RetryAfter(said, { delayMs, code, cause: failure.cause });
  return new BatonError(code, `${said} ${advice[code] ?? ""}`.trim(), {
    cause: failure.cause,
    details: {
      provider: ref.provider,
      model: ref.model,
      ...(status === undefined ? {} : { status }),
      ...(isNeverConnected(failure.cause) && { sent: false }),
    },
  });
}

const beforeSending: ReadonlySet<unknown> = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
]);

/** Nothing reached the provider, so nothing was charged. */
function isNeverConnected(error: unknown): boolean {
  for (let link = error, depth = 0; link instanceof Error && depth < 8; link = link.cause, depth++) {
    if (beforeSending.has((link as { code?: unknown }).code)) return true;
    const parts = link instanceof AggregateError ? link.errors : [];
    if (parts.length > 0) return parts.every(isNeverConnected);
  }
  return false;
}

const advice: Partial<Record<ErrorCode, string>> = {
  "provider-auth": "Check the provider's API key.",
  "provider-spend-limit": "Raise the limit at the provider, or choose another model.",
  "context-too-large": "Shorten the prompt, or choose a model with a larger window.",
};

function codeOf(failure: ProviderFailure, status: number | undefined): ErrorCode {
  if (status === undefined || (status >= 200 && status < 300))
    return failure.begun ? "output-cut" : "provider-unavailable";
  const client = status >= 400 && status < 500;
  if (client && aboutMoney.test(failure.words)) return "provider-spend-limit";
  if (status === 402) return "provider-spend-limit";
  if (status === 413 || (status === 400 && aboutLength.test(failure.words))) return "context-too-large";
  if (status === 429) return "provider-rate-limited";
  if (status === 401 || status === 403) return "provider-auth";
  if (status === 408 || status === 409 || status >= 500) return "provider-unavailable";
  return "provider-rejected";
}

/** RFC 9110 §10.2.3: delay seconds or an HTTP date. A date in the past is a delay of 0. */
function retryAfterMs(headers: Readonly<Record<string, string>>, now: number): number | undefined {
  const exact = Number(headers["retry-after-ms"]);
  if (headers["retry-after-ms"] !== undefined && Number.isFinite(exact) && exact >= 0) return exact;
  const value = headers["retry-after"]?.trim();
  if (value === undefined || value === "") return undefined;
  if (/^\d+(\.\d+)?$/.test(value)) return Math.round(Number(value) * 1000);
  const at = Date.parse(value);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}

/** Reads any error of the AI SDK, the Anthropic SDK or fetch. `begun`: the caller had seen a 200. */
export function readFailure(error: unknown, begun: boolean): ProviderFailure {
  const fields = (typeof error === "object" && error !== null ? error : {}) as Record<string, unknown>;
  const body = typeof fields["responseBody"] === "string" ? fields["responseBody"] : "";
  const inside = errorInside(body) ?? errorInside(fields["data"]) ?? errorInside(fields["error"]);
  const type = stringOf(fields["type"]) ?? inside?.type;
  const code = stringOf(fields["code"]) ?? inside?.code;
  const told = numberOf(fields["statusCode"]) ?? numberOf(fields["status"]);
  const ok = told === undefined || (told >= 200 && told < 300);
  const typed = ok ? (statusOfType[code ?? ""] ?? statusOfType[type ?? ""]) : undefined;
  const errorInOk = ok && inside !== undefined && typed === undefined ? 500 : undefined;
  const message = inside?.message ?? (error instanceof Error ? error.message : String(error));
  return {
    status: typed ?? errorInOk ?? told,
    headers: headersOf(fields["responseHeaders"] ?? fields["headers"]),
    words: `${message} ${type ?? ""} ${code ?? ""} ${body}`,
    message: clip(message),
    begun: begun || (told !== undefined && told >= 200 && told < 300),
    cause: error,
  };
}

function errorInside(body: unknown): { type?: string; code?: string; message?: string } | undefined {
  const parsed = typeof body === "string" ? parseOrUndefined(body) : body;
  if (typeof parsed !== "object" || parsed === null) return undefined;
  const wrapped = (parsed as Record<string, unknown>)["error"];
  const error = (typeof wrapped === "object" && wrapped !== null ? wrapped : undefined) as
    | Record<string, unknown>
    | undefined;
  if (error === undefined) return undefined;
  const read = (key: string) => stringOf(error[key]);
  const [type, code, message] = [read("type"), read("code"), read("message")];
  return {
    ...(type === undefined ? {} : { type }),
    ...(code === undefined ? {} : { code }),
    ...(message === undefined ? {} : { message }),
  };
}

function parseOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function headersOf(headers: unknown): Readonly<Record<string, string>> {
  if (headers instanceof Headers) return Object.fromEntries(headers.entries());
  return typeof headers === "object" && headers !== null ? (headers as Record<string, string>) : {};
}

const stringOf = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);
const numberOf = (value: unknown): number | undefined => (typeof value === "number" ? value : undefined);
const clip = (text: string): string => (text.length > 500 ? `${text.slice(0, 500)}…` : text);
