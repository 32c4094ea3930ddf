import { describe, expect, it } from "vitest";
import { toldLimits } from "../src/providers/limits.ts";

const at = Date.parse("2026-11-21T10:00:00Z");
const limitsIn = (headers: Record<string, string>) => toldLimits(new Headers(headers), at);

describe("limits in the head of an answer", () => {
  it("are Anthropic's, with the time of their reset by the provider's own clock", () => {
    const limits = limitsIn({
      "date": "Sat, 21 Nov 2026 12:00:00 GMT",
      "anthropic-ratelimit-requests-limit": "50",
      "anthropic-ratelimit-requests-remaining": "49",
      "anthropic-ratelimit-requests-reset": "2026-11-21T12:00:01Z",
      "anthropic-ratelimit-input-tokens-limit": "40000",
      "anthropic-ratelimit-input-tokens-remaining": "10000",
      "anthropic-ratelimit-input-tokens-reset": "2026-11-21T12:00:45Z",
      "anthropic-ratelimit-output-tokens-limit": "8000",
      "anthropic-ratelimit-output-tokens-remaining": "8000",
      "anthropic-ratelimit-output-tokens-reset": "2026-11-21T11:59:59Z",
    });
    expect(limits).toEqual({
      requests: { limit: 50, remaining: 49, resetMs: 1_000 },
      input: { limit: 40_000, remaining: 10_000, resetMs: 45_000 },
      output: { limit: 8_000, remaining: 8_000, resetMs: 0 },
    });
  });

  it.each([
    ["1s", 1_000],
    ["6m0s", 360_000],
    ["8.64s", 8_640],
    ["20ms", 20],
    ["1h2m3s", 3_723_000],
    ["12", 12_000],
    ["soon", undefined],
    ["", undefined],
  ])("are OpenAI's, whose reset is the duration %s", (reset, resetMs) => {
    const limits = limitsIn({
      "x-ratelimit-limit-requests": "10000",
      "x-ratelimit-remaining-requests": "9999",
      "x-ratelimit-reset-requests": reset,
      "x-ratelimit-limit-tokens": "200000",
      "x-ratelimit-remaining-tokens": "0",
      "x-ratelimit-reset-tokens": "1m",
    });
    expect(limits).toEqual({
      requests: { limit: 10_000, remaining: 9_999, resetMs },
      tokens: { limit: 200_000, remaining: 0, resetMs: 60_000 },
    });
  });

  it.each([
    [{}],
    [{ "x-ratelimit-limit-requests": "10" }],
    [{ "x-ratelimit-limit-requests": "many", "x-ratelimit-remaining-requests": "1" }],
    [{ "x-ratelimit-limit-requests": "0", "x-ratelimit-remaining-requests": "0" }],
  ])("are none where %j says nothing of use", (headers) => {
    expect(limitsIn(headers as Record<string, string>)).toBeUndefined();
  });
});
