import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readable } from "../src/context/text.ts";

describe("a value as text for a model", () => {
  test("is the text itself when it is one", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(readable(text)).toBe(text);
      }),
    );
  });

  test("is JSON while its texts are short and plain", () => {
    expect(readable({ path: "a.md", sizes: [1, 2] })).toBe(
      JSON.stringify({ path: "a.md", sizes: [1, 2] }, undefined, 1),
    );
    expect([readable(null), readable(3), readable(true), readable(undefined)]).toEqual(["null", "3", "true", ""]);
  });

  test("has long texts raw, each below its key", () => {
    const text = 'He said "no".\nThen he left.';
    expect(readable({ path: "a.md", text, sizeBytes: 3 })).toBe(`path: a.md\ntext:\n${text}\n\nsizeBytes: 3`);
    expect(readable([{ text }, "b"])).toBe(`1.\n  text:\n${text}\n\n2. b`);
  });

  test("quotes every long text verbatim, however deep it stands", () => {
    const long = fc.string({ minLength: 201, maxLength: 300 });
    const nested = fc.letrec((tie) => ({
      node: fc.oneof(
        { depthSize: "small" },
        long,
        fc.array(tie("node"), { maxLength: 3 }),
        fc.dictionary(fc.string({ maxLength: 5 }), tie("node"), { maxKeys: 3 }),
      ),
    })).node;
    const texts = (value: unknown): string[] =>
      typeof value === "string" ? [value] : Object.values(value as object).flatMap(texts);
    fc.assert(
      fc.property(nested, (value) => {
        const rendered = readable(value);
        for (const text of texts(value)) expect(rendered).toContain(text);
      }),
    );
  });
});
