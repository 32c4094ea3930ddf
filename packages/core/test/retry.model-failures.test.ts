import { errorCodes } from "@baton/core";
import { fallsBackOn, isFallBackCode, outcomeOfCode } from "@baton/core/retry";
import { describe, expect, it } from "vitest";

describe("the table of what a call of a model ends with", () => {
  it("has every code that is about a provider, a model or its output", () => {
    const about = Object.keys(errorCodes).filter((code) =>
      /^(provider|model|output|offline|context)-|-model$/.test(code),
    );
    expect(Object.keys(fallsBackOn).sort()).toEqual(about.sort());
  });

  it("asks another model where this one is not to be had or will not answer, and never where the request is at fault", () => {
    const waits = Object.keys(fallsBackOn).filter((code) => outcomeOfCode[code as keyof typeof fallsBackOn] === "wait");
    expect(waits.sort()).toEqual(["provider-open", "provider-throttled"]);
    for (const code of [...waits, "provider-unavailable", "provider-spend-limit", "provider-auth", "model-refused"])
      expect([code, isFallBackCode(code)]).toEqual([code, true]);
    for (const code of [
      "provider-rejected",
      "context-too-large",
      "output-cut",
      "budget-exceeded",
      "tool-failed",
      "constructor",
    ])
      expect([code, isFallBackCode(code)]).toEqual([code, false]);
  });
});
