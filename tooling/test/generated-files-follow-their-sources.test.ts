import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { compareGenerated, type Generator, writeGenerated } from "../generated/generation.ts";

let root: string;

beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), "generated-"));
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

function pages(contents: Readonly<Record<string, string>>, name = "pages"): Generator {
  return { name, files: ["docs/*.md"], generate: async () => new Map(Object.entries(contents)) };
}

describe("generated files", () => {
  test("are in step right after they were written", async () => {
    const generators = [pages({ "docs/a.md": "a\n", "docs/b.md": "b\n" })];
    await writeGenerated(root, generators);
    expect(await compareGenerated(root, generators)).toEqual([]);
    expect(await writeGenerated(root, generators)).toEqual([]);
  });

  test("name the file and the first line that an edited source changes", async () => {
    await writeGenerated(root, [pages({ "docs/a.md": "one\ntwo\n" })]);
    expect(await compareGenerated(root, [pages({ "docs/a.md": "one\n2\n" })])).toEqual([
      { generator: "pages", file: "docs/a.md", kind: "changed", line: 2 },
    ]);
  });

  test("are missing when a source is new, and stale when it is gone", async () => {
    await writeGenerated(root, [pages({ "docs/a.md": "a\n" })]);
    const generators = [pages({ "docs/b.md": "b\n" })];
    expect((await compareGenerated(root, generators)).map(({ file, kind }) => `${kind} ${file}`)).toEqual([
      "missing docs/b.md",
      "stale docs/a.md",
    ]);
    await writeGenerated(root, generators);
    expect(await compareGenerated(root, generators)).toEqual([]);
  });

  test("comparing writes nothing", async () => {
    await writeGenerated(root, [pages({ "docs/a.md": "a\n" })]);
    writeFileSync(path.join(root, "docs/a.md"), "edited by hand\n");
    await compareGenerated(root, [pages({ "docs/a.md": "a\n" })]);
    expect(readFileSync(path.join(root, "docs/a.md"), "utf8")).toBe("edited by hand\n");
  });

  test("have one generator each, within its patterns", async () => {
    await expect(
      compareGenerated(root, [pages({ "docs/a.md": "" }), pages({ "docs/a.md": "" }, "more")]),
    ).rejects.toThrow("docs/a.md is generated twice: by pages and by more");
    await expect(compareGenerated(root, [pages({ "drizzle/a.sql": "" })])).rejects.toThrow("none of its patterns");
  });
});
