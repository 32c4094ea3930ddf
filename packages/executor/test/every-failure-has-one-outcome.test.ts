import { BatonError, RetryAfter, Suspend, TerminalError, errorCodes } from "@baton/core";
import type { ErrorCode } from "@baton/core";
import { outcomeOfCode } from "@baton/core/retry";
import { describe, expect, test } from "vitest";
import { failureOutcome } from "../src/attempt/outcome.ts";
import { claimedStep } from "./step.ts";

const settledAs = {
  retry: "retry-later",
  wait: "released",
  fail: "exhausted",
  hold: "held",
  aborted: "retry-later",
} as const;

describe("a failure", () => {
  test.each(Object.keys(errorCodes) as ErrorCode[])(
    "with code %s is retried, final or nobody's business, as core's table says",
    (code) => {
      const outcome = failureOutcome(claimedStep(), new BatonError(code, "no"), 0.5);
      if (code === "lease-lost") expect(outcome).toBeUndefined();
      else expect(outcome?.outcome).toBe(settledAs[outcomeOfCode[code]]);
    },
  );

  test("waits by the step's own policy over the task's", () => {
    const step = claimedStep({
      failureCount: 1,
      retry: { base_ms: 100 },
      settings: { retry: { base_ms: 5, factor: 3 } },
    });
    expect(failureOutcome(step, new Error("no"), 0.5)).toMatchObject({
      outcome: "retry-later",
      delayMs: 150,
      error: { code: "internal" },
    });
  });

  test("is final once the attempts are used up", () => {
    const step = claimedStep({ failureCount: 3 });
    expect(failureOutcome(step, new Error("no"), 0)).toMatchObject({ outcome: "exhausted" });
  });

  test("that leaves a call in doubt is held, or tried again while the tool can be asked", () => {
    const error = new BatonError("effect-unknown", "?", { details: { askAgain: true } });
    expect(failureOutcome(claimedStep(), error, 0)).toMatchObject({ outcome: "retry-later" });
    expect(failureOutcome(claimedStep({ failureCount: 3 }), error, 0)).toMatchObject({ outcome: "held" });
    expect(failureOutcome(claimedStep(), new BatonError("effect-unknown", "?"), 0)).toMatchObject({ outcome: "held" });
  });

  test("waits at least as long as the callee asks", () => {
    expect(failureOutcome(claimedStep(), new RetryAfter("later", { delayMs: 9_000 }), 0)).toMatchObject({
      outcome: "retry-later",
      delayMs: 9_000,
    });
  });

  test("of a call that was not let through is none: the step comes back when it is told to, whatever its attempts", () => {
    const error = new BatonError("provider-open", "away", { details: { retryAfterMs: 7_000 } });
    expect(failureOutcome(claimedStep({ failureCount: 3 }), error, 0)).toMatchObject({
      outcome: "released",
      reason: "provider-open",
      delayMs: 7_000,
      error: { code: "provider-open", message: "away" },
    });
  });

  test("that the step calls terminal keeps its own code", () => {
    expect(failureOutcome(claimedStep(), new TerminalError("never", { code: "bad-input" }), 0)).toMatchObject({
      outcome: "exhausted",
      error: { code: "bad-input" },
    });
  });

  test("of a step that asks to wait says what to do instead", () => {
    const outcome = failureOutcome(claimedStep(), new Suspend({}), 0);
    expect(outcome).toMatchObject({ outcome: "exhausted", error: { code: "suspend" } });
    expect(JSON.stringify(outcome)).toContain("Poll inside the step");
  });

  test("keeps its causes", () => {
    const outcome = failureOutcome(claimedStep(), new Error("outer", { cause: new Error("inner") }), 0);
    expect(outcome).toMatchObject({ error: { causes: [{ message: "outer" }, { message: "inner" }] } });
  });
});
