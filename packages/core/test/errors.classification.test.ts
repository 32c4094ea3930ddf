import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BatonError, errorCodes, RetryAfter, Suspend, TerminalError } from "../src/index.ts";
import type { ErrorCode } from "../src/index.ts";
import { classifyError, errorOutcomes, findUnstorable, outcomeOfCode } from "../src/retry/index.ts";

const codes = Object.keys(errorCodes) as ErrorCode[];

describe("every system code", () => {
  test("has exactly one outcome, and a status, an exit code and a title", () => {
    expect(Object.keys(outcomeOfCode).sort()).toEqual([...codes].sort());
    for (const code of codes) {
      expect(errorOutcomes).toContain(outcomeOfCode[code]);
      expect(errorCodes[code].status).toBeGreaterThanOrEqual(400);
      expect(errorCodes[code].exit).toBeGreaterThan(0);
      expect(errorCodes[code].title).not.toBe("");
    }
  });

  test.each(codes)("%s is classified by the table", (code) => {
    const found = classifyError(new BatonError(code, "m"));
    expect(found).toMatchObject({ outcome: outcomeOfCode[code], code, message: "m" });
  });

  test.each(codes.filter((code) => /^(invalid|unknown|offline-cannot|idempotency-key-(malformed|reused))/.test(code)))(
    "%s fails at once",
    (code) => {
      expect(outcomeOfCode[code]).toBe("fail");
    },
  );

  test.each(codes.filter((code) => code.startsWith("effect-")))("%s is a person's to decide", (code) => {
    expect(outcomeOfCode[code]).toBe("hold");
  });

  test.each(codes.filter((code) => /(unavailable|rate-limited)$/.test(code)))("%s may pass", (code) => {
    expect(outcomeOfCode[code]).toBe("retry");
  });
});

describe("steering errors", () => {
  test("TerminalError fails with its own code", () => {
    expect(classifyError(new TerminalError("no", { code: "card-declined" }))).toMatchObject({
      outcome: "fail",
      code: "card-declined",
    });
    expect(classifyError(new TerminalError("no")).code).toBe("terminal");
  });

  test("RetryAfter retries, not before its delay", () => {
    expect(classifyError(new RetryAfter("slow", { delayMs: 1_500, cause: new Error("429") }))).toMatchObject({
      outcome: "retry",
      code: "retry-after",
      retryAfterMs: 1_500,
    });
  });

  test("a provider's Retry-After in the details is kept; one that is no number is not", () => {
    const limited = (retryAfterMs: unknown) =>
      classifyError(new BatonError("provider-rate-limited", "429", { details: { retryAfterMs } }));
    expect(limited(2_000).retryAfterMs).toBe(2_000);
    expect(limited("2")).not.toHaveProperty("retryAfterMs");
    expect(limited(Number.NaN)).not.toHaveProperty("retryAfterMs");
  });

  test("Suspend suspends", () => {
    expect(classifyError(new Suspend({ kind: "approval" }))).toMatchObject({ outcome: "suspend", code: "suspend" });
  });
});

describe("errors of others", () => {
  test("an unknown error may pass", () => {
    expect(classifyError(new Error("boom"))).toEqual({
      outcome: "retry",
      code: "internal",
      message: "boom",
      causeChain: [{ name: "Error", message: "boom" }],
    });
  });

  test("an abort settles nothing; a timeout is the deadline", () => {
    expect(classifyError(new DOMException("stop", "AbortError"))).toMatchObject({
      outcome: "aborted",
      code: "cancelled",
    });
    expect(classifyError(new DOMException("late", "TimeoutError"))).toMatchObject({
      outcome: "retry",
      code: "deadline-exceeded",
    });
  });

  test("a known error inside an unknown wrapper decides; inside a known one it does not", () => {
    const known = new BatonError("provider-auth", "401");
    expect(classifyError(new Error("stream failed", { cause: known }))).toMatchObject({
      outcome: "fail",
      code: "provider-auth",
      message: "stream failed",
    });
    expect(classifyError(new BatonError("tool-failed", "x", { cause: known })).outcome).toBe("retry");
  });

  test("the causes are listed from the outside in, with their codes, without going in circles", () => {
    const refused = Object.assign(new Error("connect"), { code: "ECONNREFUSED" });
    const outer = new TypeError("fetch failed", { cause: refused });
    expect(classifyError(outer).causeChain).toEqual([
      { name: "TypeError", message: "fetch failed" },
      { name: "Error", message: "connect", code: "ECONNREFUSED" },
    ]);
    refused.cause = outer;
    expect(classifyError(outer).causeChain).toHaveLength(2);
    expect(classifyError(new Error("x", { cause: null })).causeChain).toHaveLength(1);
    expect(classifyError(new Error("x", { cause: "a text" })).causeChain[1]).toEqual({
      name: "NonError",
      message: "a text",
    });
  });

  test("a long chain is cut", () => {
    let error = new Error("last");
    for (let depth = 0; depth < 50; depth++) error = new Error(`e${depth}`, { cause: error });
    expect(classifyError(error).causeChain).toHaveLength(8);
  });

  test("an aggregate without a text of its own tells what its parts say", () => {
    const parts = [new Error("::1 refused"), new Error("127.0.0.1 refused"), "three", "four"];
    expect(classifyError(new AggregateError(parts, "")).message).toBe("::1 refused; 127.0.0.1 refused; three");
    expect(classifyError(new AggregateError(parts, "own")).message).toBe("own");
  });

  test.each([
    [undefined, "undefined"],
    [null, "null"],
    ["text", "text"],
    [{ a: 1 }, '{"a":1}'],
    [5n, "a bigint that cannot be printed (TypeError)"],
    [Symbol.iterator, "Symbol(Symbol.iterator)"],
  ])("a thrown %s has a text", (thrown, message) => {
    expect(classifyError(thrown)).toMatchObject({ outcome: "retry", code: "internal", message });
  });

  test("an error whose properties throw is classified all the same", () => {
    const hostile = new Error("x");
    for (const key of ["message", "name", "code", "cause"]) {
      Object.defineProperty(hostile, key, {
        get: () => {
          throw new RangeError("hostile");
        },
      });
    }
    expect(classifyError(hostile)).toMatchObject({ outcome: "retry", message: "unreadable: RangeError" });
    const rude = Object.defineProperty(new Error("x"), "message", {
      get: () => {
        throw "rude" as unknown as Error;
      },
    });
    expect(classifyError(rude).message).toBe("unreadable: string");
    const unprintable = {
      toJSON: () => {
        throw "rude" as unknown as Error;
      },
    };
    expect(classifyError(unprintable).message).toBe("a object that cannot be printed (string)");
  });

  test("what is recorded is bounded and can be stored, whatever was thrown", () => {
    const long = classifyError(new Error(`${"x".repeat(1_999)}😀${"y".repeat(10_000)}`));
    expect(long.message).toMatch(/^x{1999}… \(10002 more characters\)$/);
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.anything(), (text, thrown) => {
        const odd = `${text}\0\uD800`;
        for (const error of [new Error(odd), odd, thrown, new TerminalError(odd, { code: odd })]) {
          const found = classifyError(error);
          expect(findUnstorable(found)).toBeUndefined();
          expect(JSON.stringify(found).length).toBeLessThan(50_000);
        }
      }),
    );
  });
});
