import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { retryPolicy } from "../src/plan/index.ts";
import {
  defaultRetryPolicy,
  maxRetryAfterMs,
  nextDelayMs,
  resolveRetryPolicy,
  shouldRetry,
} from "../src/retry/index.ts";
import type { RetryPolicy } from "../src/retry/index.ts";

const policies: fc.Arbitrary<RetryPolicy> = fc.record({
  maxAttempts: fc.integer({ min: 1, max: 100 }),
  baseMs: fc.nat({ max: 3_600_000 }),
  factor: fc.double({ min: 1, max: 10, noNaN: true }),
  capMs: fc.nat({ max: 86_400_000 }),
});
const random01 = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const failures = fc.integer({ min: 1, max: 100_000 });

describe("the policy", () => {
  test("of the step overrides the task's, which overrides the default, field by field", () => {
    expect(resolveRetryPolicy()).toEqual(defaultRetryPolicy);
    expect(resolveRetryPolicy({ max_attempts: 9, base_ms: 5 }, { base_ms: 7, cap_ms: 0 })).toEqual({
      ...defaultRetryPolicy,
      maxAttempts: 9,
      baseMs: 7,
      capMs: 0,
    });
    expect(resolveRetryPolicy(undefined, { factor: 5 })).toEqual({ ...defaultRetryPolicy, factor: 5 });
  });

  test("is made from what a plan may say", () => {
    expect(resolveRetryPolicy(retryPolicy.parse({ max_attempts: 1 })).maxAttempts).toBe(1);
  });
});

describe("the next delay", () => {
  test("is whole milliseconds within the jittered bound and the cap, whatever the failure count", () => {
    fc.assert(
      fc.property(policies, failures, random01, (policy, count, random) => {
        const delay = nextDelayMs(policy, count, random);
        expect(Number.isSafeInteger(delay)).toBe(true);
        expect(delay).toBeGreaterThanOrEqual(0);
        expect(delay).toBeLessThanOrEqual(policy.capMs);
        if (count < 100) expect(delay).toBeLessThanOrEqual(policy.baseMs * policy.factor ** (count - 1));
      }),
    );
  });

  test("never shrinks as failures grow, for the same random number, and stays at the cap once there", () => {
    fc.assert(
      fc.property(policies, fc.integer({ min: 1, max: 200 }), random01, (policy, count, random) => {
        const now = nextDelayMs(policy, count, random);
        const next = nextDelayMs(policy, count + 1, random);
        expect(next).toBeGreaterThanOrEqual(now);
        if (policy.baseMs * policy.factor ** (count - 1) >= policy.capMs) expect(next).toBe(now);
      }),
    );
  });

  test("is at least the callee's Retry-After, which is obeyed up to its maximum", () => {
    fc.assert(
      fc.property(
        policies,
        failures,
        random01,
        fc.nat({ max: 10 * maxRetryAfterMs }),
        (policy, count, random, asked) => {
          const plain = nextDelayMs(policy, count, random);
          expect(nextDelayMs(policy, count, random, asked)).toBe(Math.max(plain, Math.min(asked, maxRetryAfterMs)));
        },
      ),
    );
  });

  test("ignores a Retry-After in the past and rounds a fraction up", () => {
    expect(nextDelayMs(defaultRetryPolicy, 1, 0, -5)).toBe(0);
    expect(nextDelayMs(defaultRetryPolicy, 1, 0, 1.2)).toBe(2);
  });

  test("grows fourfold from two seconds up to a minute by default", () => {
    const most = [1, 2, 3, 4, 5, 8].map((count) => nextDelayMs(defaultRetryPolicy, count, 0.999_999_999));
    expect(most).toEqual([1_999, 7_999, 31_999, 59_999, 59_999, 59_999]);
  });
});

describe("one more attempt is due", () => {
  test("exactly when the error may pass and attempts are left", () => {
    const policy = { ...defaultRetryPolicy, maxAttempts: 3 };
    const due = (outcome: "retry" | "fail" | "suspend" | "aborted") =>
      [1, 2, 3, 4].map((count) => shouldRetry({ outcome }, policy, count));
    expect(due("retry")).toEqual([true, true, false, false]);
    for (const outcome of ["fail", "suspend", "aborted"] as const) expect(due(outcome)).not.toContain(true);
  });
});
