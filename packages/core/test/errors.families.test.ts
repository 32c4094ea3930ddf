import { expect, test } from "vitest";
import { BatonError, RetryAfter, Suspend, TerminalError } from "../src/index.ts";

test("a system error keeps code, cause, problems and details", () => {
  const cause = new Error("why");
  const problems = [{ pointer: "/a", detail: "d" }];
  const error = new BatonError("not-found", "m", { cause, problems, details: { x: 1 } });
  expect(error).toMatchObject({ name: "BatonError", code: "not-found", message: "m", problems, details: { x: 1 } });
  expect(error.cause).toBe(cause);
});

test("without a cause there is no cause, and lists are empty", () => {
  const error = new BatonError("internal", "m");
  expect(Object.hasOwn(error, "cause")).toBe(false);
  expect(error.problems).toEqual([]);
  expect(error.details).toEqual({});
});

test("steering errors keep their code, cause and wish", () => {
  const cause = new Error("why");
  expect(new TerminalError("m", { code: "c", cause })).toMatchObject({ name: "TerminalError", code: "c", cause });
  expect(new RetryAfter("m", { delayMs: 5, code: "c", cause })).toMatchObject({
    name: "RetryAfter",
    code: "c",
    delayMs: 5,
  });
  expect(new RetryAfter("m", { delayMs: 5 }).code).toBe("retry-after");
  expect(new Suspend({ kind: "timer" })).toMatchObject({ name: "Suspend", waitFor: { kind: "timer" } });
});
