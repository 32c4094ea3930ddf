import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compileGlob, type GlobStates } from "../src/workspace/glob.ts";

function matches(pattern: string, path: string): boolean {
  const glob = compileGlob(pattern);
  return glob.accepts(path.split("/").reduce<GlobStates>((states, segment) => glob.step(states, segment), glob.start));
}

/** The textbook definition, exponential and obviously right. */
function reference(pattern: readonly string[], path: readonly string[]): boolean {
  const [first, ...rest] = pattern;
  if (first === undefined) return path.length === 0;
  if (first === "**") {
    if (rest.length === 0) return path.length > 0;
    return reference(rest, path) || (path.length > 0 && reference(pattern, path.slice(1)));
  }
  return path[0] !== undefined && segmentReference(first, path[0]) && reference(rest, path.slice(1));
}

function segmentReference(pattern: string, text: string): boolean {
  if (pattern === "") return text === "";
  if (pattern[0] === "*")
    return segmentReference(pattern.slice(1), text) || (text !== "" && segmentReference(pattern, text.slice(1)));
  return (
    text !== "" && (pattern[0] === "?" || pattern[0] === text[0]) && segmentReference(pattern.slice(1), text.slice(1))
  );
}

describe("a glob", () => {
  test.each([
    ["**/*", "a", true],
    ["**/*", ".hidden/b", true],
    ["*.md", "a/b.md", false],
    ["docs/", "docs/a/b", true],
    ["docs/**", "docs", false],
    ["**/docs/**/*.md", "docs/x.md", true],
    ["**/docs/**/*.md", "a/docs/b/c/x.md", true],
    ["*.{md,mdx}", "a.mdx", true],
    ["{docs,src/{a,b}}/*.ts", "src/b/x.ts", true],
    ["{docs,src/{a,b}}/*.ts", "src/x.ts", false],
    ["{a}", "{a}", true],
    ["[a-c]?.txt", "bz.txt", true],
    ["[!a-c]?.txt", "bz.txt", false],
    ["[]x].txt", "].txt", true],
    ["\\*.md", "*.md", true],
    ["\\*.md", "a.md", false],
    ["?.md", "ü.md", true],
    ["?.md", "😀.md", true],
    ["README.md", "readme.md", false],
  ])("%s on %s: %s", (pattern, path, expected) => {
    expect(matches(pattern, path)).toBe(expected);
  });

  test("agrees with the textbook definition", () => {
    const segment = fc.oneof(
      fc.constant("**"),
      fc.string({ unit: fc.constantFrom("a", "b", "*", "?"), minLength: 1, maxLength: 4 }),
    );
    const name = fc.string({ unit: fc.constantFrom("a", "b"), minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(
        fc.array(segment, { minLength: 1, maxLength: 4 }),
        fc.array(name, { minLength: 1, maxLength: 4 }),
        (pattern, path) => {
          expect(matches(pattern.join("/"), path.join("/"))).toBe(reference(pattern, path));
        },
      ),
      { numRuns: 3_000 },
    );
  });

  test("answers for patterns that would backtrack for ever", () => {
    expect(matches(`${"*a".repeat(400)}b`, "a".repeat(250))).toBe(false);
    expect(matches(`${"**/".repeat(300)}b`, Array(200).fill("a").join("/"))).toBe(false);
  });

  test.each([["[abc"], [""], ["{a,b}".repeat(8)], ["x".repeat(1_001)]])("%.20j is refused with the fix", (pattern) => {
    expect(() => compileGlob(pattern)).toThrowError(expect.objectContaining({ code: "tool-input-invalid" }));
  });
});
