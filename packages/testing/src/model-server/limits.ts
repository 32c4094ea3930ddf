/**
 * Limits per minute and model, as providers keep them and tell them with every answer.
 *
 * Token buckets that fill up all the time (https://platform.claude.com/docs/en/api/rate-limits). A request takes its input by
 * the size of its messages and its output by `max_tokens`; one that does not fit takes nothing and is told when to come back.
 */
import type { ModelServerRequest, ScriptedLimits, Wire } from "./script.ts";

type Kind = "requests" | "inputTokens" | "outputTokens";
const kinds: readonly Kind[] = ["requests", "inputTokens", "outputTokens"];
const anthropicNames = { requests: "requests", inputTokens: "input-tokens", outputTokens: "output-tokens" } as const;

interface Bucket {
  readonly limit: number;
  left: number;
  at: number;
}

export class RateLimits {
  readonly #buckets = new Map<string, Map<Kind, Bucket>>();
  readonly #now: () => number;

  constructor(limits: Readonly<Record<string, ScriptedLimits>>, now: () => number) {
    this.#now = now;
    for (const [model, { filled = 1, ...own }] of Object.entries(limits)) {
      const buckets = kinds.flatMap((kind) => {
        const limit = own[kind];
        return limit === undefined ? [] : ([[kind, { limit, left: limit * filled, at: now() }]] as const);
      });
      this.#buckets.set(model, new Map(buckets));
    }
  }

  take({ body, wire }: ModelServerRequest): { readonly isRefused: boolean; readonly headers: Record<string, string> } {
    const buckets = [...(this.#buckets.get(String(body["model"])) ?? [])];
    const now = this.#now();
    const needs: Readonly<Record<Kind, number>> = {
      requests: 1,
      inputTokens: Math.ceil(JSON.stringify(body["messages"] ?? []).length / 4),
      outputTokens: Math.min(Number(body["max_tokens"] ?? 1_000), 1_000),
    };
    let waitMs = 0;
    for (const [kind, bucket] of buckets) {
      bucket.left = Math.min(bucket.limit, bucket.left + ((now - bucket.at) * bucket.limit) / 60_000);
      bucket.at = now;
      waitMs = Math.max(waitMs, ((Math.min(needs[kind], bucket.limit) - bucket.left) * 60_000) / bucket.limit);
    }
    const isRefused = waitMs > 0;
    if (!isRefused) for (const [kind, bucket] of buckets) bucket.left -= Math.min(needs[kind], bucket.limit);
    const told = buckets.flatMap(([kind, bucket]) => headersOf(wire, kind, bucket, now));
    return {
      isRefused,
      headers: Object.fromEntries(isRefused ? [...told, ["retry-after", String(Math.ceil(waitMs / 1_000))]] : told),
    };
  }
}

function headersOf(wire: Wire, kind: Kind, { limit, left }: Bucket, now: number): (readonly [string, string])[] {
  const fullInMs = ((limit - left) * 60_000) / limit;
  const remaining = String(Math.max(0, Math.floor(left)));
  if (wire === "anthropic") {
    const name = `anthropic-ratelimit-${anthropicNames[kind]}`;
    const reset = new Date(now + fullInMs).toISOString();
    return [
      [`${name}-limit`, String(limit)],
      [`${name}-remaining`, remaining],
      [`${name}-reset`, reset],
    ];
  }
  const name = kind === "requests" ? "requests" : "tokens";
  return [
    [`x-ratelimit-limit-${name}`, String(limit)],
    [`x-ratelimit-remaining-${name}`, remaining],
    [`x-ratelimit-reset-${name}`, `${(fullInMs / 1_000).toFixed(3)}s`],
  ];
}
