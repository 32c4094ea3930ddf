import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { boundedText, findUnstorable, jsonDepth, wellFormed } from "../src/retry/index.ts";
import { jsonPointer } from "../src/json/index.ts";

describe("text", () => {
  test("well-formed text has no NUL and no lone surrogate, and is otherwise the same", () => {
    expect(wellFormed("a\0b\uD800c😀")).toBe("a\uFFFDb\uFFFDc😀");
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const fixed = wellFormed(text);
        expect(fixed.isWellFormed() && !fixed.includes("\0")).toBe(true);
        if (text.isWellFormed() && !text.includes("\0")) expect(fixed).toBe(text);
      }),
    );
  });

  test("bounded text is cut between characters and says how much is missing", () => {
    expect(boundedText("short", 10)).toBe("short");
    expect(boundedText("abcdef", 3)).toBe("abc… (3 more characters)");
    expect(boundedText("ab😀ef", 3)).toBe("ab… (4 more characters)");
  });
});

describe("findUnstorable names the first place that the store cannot keep", () => {
  const circular: { a: unknown[] } = { a: [] };
  circular.a.push({ back: circular });

  test.each<[string, unknown, string | undefined]>([
    ["JSON", { a: [1, "x", null, true, { b: {} }], c: [] }, undefined],
    ["a missing property", { a: undefined }, undefined],
    ["an object without a prototype", Object.assign(Object.create(null), { a: 1 }), undefined],
    ["a key __proto__", JSON.parse('{"__proto__": {"a": 1}}'), undefined],
    ["NUL", "a\0", ""],
    ["a lone surrogate", { a: ["x", "\uDC00"] }, "/a/1"],
    ["NUL in a key", { a: { "k\0": 1 } }, "/a/k\uFFFD"],
    ["a key to be escaped", { "a/b~c": Number.NaN }, "/a~1b~0c"],
    ["an empty key", { "": [Number.POSITIVE_INFINITY] }, "//0"],
    ["a bigint", [[1n]], "/0/0"],
    ["a hole", [1, undefined], "/1"],
    ["a function", { f: () => 1 }, "/f"],
    ["undefined", undefined, ""],
    ["a Date", { at: new Date(0) }, "/at"],
    ["a Map", new Map(), ""],
    ["an instance", [new (class Foreign {})()], "/0"],
    ["a circle", circular, "/a/0/back"],
  ])("%s", (_, value, pointer) => {
    expect(findUnstorable(value)).toBe(pointer);
  });

  test("finds a planted place in any JSON value, and nothing else", () => {
    fc.assert(
      fc.property(
        fc.jsonValue(),
        fc.jsonValue(),
        fc.constantFrom("\0", "\uD800", 1n, Number.NaN),
        (before, after, bad) => {
          expect(findUnstorable([before, after])).toBeUndefined();
          expect(findUnstorable({ a: before, b: [after, { c: bad }] })).toBe("/b/1/c");
        },
      ),
    );
  });

  test("shared objects are looked at once: 2^60 ways cost sixty looks", () => {
    let value: unknown = "leaf";
    for (let level = 0; level < 60; level++) value = [value, value];
    expect(findUnstorable(value)).toBeUndefined();
  });

  test("depth 100,000 costs no stack", () => {
    let value: unknown = "\0";
    for (let depth = 0; depth < 100_000; depth++) value = [value];
    expect(findUnstorable(value)).toBe("/0".repeat(100_000));
    expect(jsonDepth(value)).toBe(100_000);
  });
});

test.each([
  [1, 0],
  [null, 0],
  [[], 1],
  [{ a: 1, b: [[]] }, 3],
  [[[], { a: {} }], 3],
])("the depth of %j is %d", (value, depth) => {
  expect(jsonDepth(value)).toBe(depth);
});

test("a JSON pointer escapes its segments", () => {
  expect(jsonPointer([])).toBe("");
  expect(jsonPointer(["a/b", 0, "~", ""])).toBe("/a~1b/0/~0/");
});
