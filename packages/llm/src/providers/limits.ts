/**
 * What a provider says of its limits with every answer.
 *
 * Anthropic: `anthropic-ratelimit-<kind>-limit|remaining|reset`, the reset as a time (RFC 3339), by the provider's own clock,
 * which `date` tells. OpenAI and who speaks like it: `x-ratelimit-limit|remaining|reset-<kind>`, the reset as a duration.
 * Sources: https://platform.claude.com/docs/en/api/rate-limits, https://platform.openai.com/docs/guides/rate-limits
 */
import type { CallReport, LimitKind, ToldLimit } from "@baton/core/ports";

type Limits = NonNullable<CallReport["limits"]>;

const anthropicNames: readonly (readonly [LimitKind, string])[] = [
  ["requests", "requests"],
  ["input", "input-tokens"],
  ["output", "output-tokens"],
];
const openAiNames: readonly (readonly [LimitKind, string])[] = [
  ["requests", "requests"],
  ["tokens", "tokens"],
];

/** `now`: Unix ms, where the provider does not tell its own. Undefined when it says nothing of limits. */
export function toldLimits(headers: Headers, now: number): Limits | undefined {
  const told: Partial<Record<LimitKind, ToldLimit>> = {};
  const said = Date.parse(headers.get("date") ?? "");
  const theirs = Number.isNaN(said) ? now : said;
  const read = (kind: LimitKind, name: (part: string) => string, resetMs: (text: string) => number): void => {
    const [limit, remaining] = [numberIn(headers, name("limit")), numberIn(headers, name("remaining"))];
    if (limit === undefined || limit <= 0 || remaining === undefined) return;
    const reset = resetMs(headers.get(name("reset")) ?? "");
    told[kind] = { limit, remaining, resetMs: Number.isNaN(reset) ? undefined : Math.max(0, reset) };
  };
  for (const [kind, name] of anthropicNames)
    read(
      kind,
      (part) => `anthropic-ratelimit-${name}-${part}`,
      (text) => Date.parse(text) - theirs,
    );
  for (const [kind, name] of openAiNames) read(kind, (part) => `x-ratelimit-${part}-${name}`, durationMs);
  return Object.keys(told).length === 0 ? undefined : told;
}

function numberIn(headers: Headers, name: string): number | undefined {
  const text = headers.get(name)?.trim();
  if (text === undefined || text === "") return undefined;
  const value = Number(text);
  return Number.isFinite(value) ? value : undefined;
}

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `1s`, `6m0s`, `8.64s`, `20ms`, or seconds as a plain number; NaN for anything else. */
function durationMs(text: string): number {
  const word = text.trim();
  if (/^\d+(\.\d+)?$/.test(word)) return Number(word) * 1_000;
  if (!/^(\d+(\.\d+)?(ms|[smhd]))+$/.test(word)) return Number.NaN;
  return [...word.matchAll(/(\d+(?:\.\d+)?)(ms|[smhd])/g)].reduce(
    (sum, [, count, unit]) => sum + Number(count) * (unitMs[unit as string] as number),
    0,
  );
}
