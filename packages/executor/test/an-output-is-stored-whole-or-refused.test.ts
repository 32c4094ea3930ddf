import { BatonError } from "@baton/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { encodeOutput, maxOutputBytes } from "../src/output/encoding.ts";

const refusal = (value: unknown): BatonError => {
  try {
    encodeOutput(value, "output-invalid");
  } catch (error) {
    if (error instanceof BatonError) return error;
    throw error;
  }
  throw new Error("it was accepted");
};

describe("an output", () => {
  test("of JSON comes back as it was", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = JSON.stringify(value);
        fc.pre(!text.includes("\\u0000"));
        expect(JSON.parse(encodeOutput(value, "output-invalid"))).toEqual(JSON.parse(text));
      }),
    );
  });

  test("that is undefined is stored as null", () => {
    expect(encodeOutput(undefined, "output-invalid")).toBe("null");
  });

  test("with a lone surrogate is repaired", () => {
    expect(JSON.parse(encodeOutput({ text: "a\ud800b" }, "output-invalid"))).toEqual({ text: "a\ufffdb" });
  });

  test.each([
    ["a NUL character", { list: ["fine", "a\0b"] }, "/list/1"],
    ["a number without a form in JSON", { figure: Number.NaN }, "/figure"],
    ["a Map", { map: new Map([["a", 1]]) }, "/map"],
  ])("with %s is refused, naming the place", (_what, value, place) => {
    const error = refusal(value);
    expect(error.code).toBe("output-invalid");
    expect(error.message).toContain(place);
  });

  test("that is a function, a cycle or too deep is refused", () => {
    const cycle: Record<string, unknown> = {};
    cycle["self"] = cycle;
    let deep: unknown = 1;
    for (let level = 0; level < 100_000; level++) deep = [deep];
    expect(refusal(() => 1).message).toContain("no form in JSON");
    expect(refusal(cycle).message).toContain("circular");
    expect(refusal(deep).message).toContain("nested too deeply");
  });

  test("of 32 MB passes, and one byte more is refused with limit and size", () => {
    expect(encodeOutput("x".repeat(maxOutputBytes - 2), "output-invalid")).toHaveLength(maxOutputBytes);
    const error = refusal("x".repeat(maxOutputBytes - 1));
    expect(error.code).toBe("payload-too-large");
    expect(error.message).toContain(String(maxOutputBytes));
    expect(error.details).toEqual({ sizeBytes: maxOutputBytes + 1, limitBytes: maxOutputBytes });
  });
});
