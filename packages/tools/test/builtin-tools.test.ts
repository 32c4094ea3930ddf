import { mkdir, mkdtemp, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createBuiltinTools, createToolRegistry } from "../src/index.ts";
import { createLineMatcher } from "../src/search/matcher.ts";
import { toolCall } from "./call.ts";

const registry = createToolRegistry({ tools: createBuiltinTools() });
let workspace: string;

beforeAll(async () => {
  workspace = await mkdtemp(join(tmpdir(), "baton-tools-"));
  const files: Record<string, string | Uint8Array> = {
    "a.txt": "first line\nDecision: use PostgreSQL\r\nlast (line)",
    "a/b.md": "# Title\n\nWe decided: decision two.\n",
    "a-b.md": "x",
    "b/.hidden": "h",
    ".git/config": "decision in git",
    "node_modules/p/index.js": "decision in a package",
    "binary.bin": Buffer.from([65, 0, 66]),
    "bom.txt": Buffer.from([0xef, 0xbb, 0xbf, 0x68, 0x69]),
    "latin1.txt": Buffer.from([0x66, 0xfc, 0x72]),
    "utf16.txt": Buffer.from("\uFEFF漢字", "utf16le"),
    "wide.txt": "aä漢😀",
  };
  for (const [path, content] of Object.entries(files)) {
    await mkdir(join(workspace, path, ".."), { recursive: true });
    await writeFile(join(workspace, path), content);
  }
  await utimes(join(workspace, "a.txt"), 1_700_000_000, 1_700_000_000);
  await symlink("nowhere", join(workspace, "broken"));
});

afterAll(() => rm(workspace, { recursive: true, force: true }));

const run = (name: string, args: unknown, overrides = {}) =>
  registry.run(name, args, toolCall({ workspace, ...overrides }));

test("the names, in order, with their effects", () => {
  expect(registry.list().map(({ name, effect }) => `${name} ${effect}`)).toEqual([
    "files.list read",
    "files.read read",
    "files.search read",
    "text.search read",
    "artifact.write idempotent",
    "artifact.read read",
    "http.get read",
    "http.request write",
    "clock.now read",
  ]);
});

describe("files.list", () => {
  const paths = async (args: unknown) =>
    ((await run("files.list", args)) as { files: { path: string }[] }).files.map(({ path }) => path);

  test("sorts by path and leaves out .git and node_modules", async () => {
    const all = await paths({});
    expect(all).toEqual([...all].sort());
    expect(all).toEqual(
      ["a-b.md", "a.txt", "a/b.md", "b/.hidden", "binary.bin", "bom.txt", "latin1.txt", "utf16.txt", "wide.txt"].sort(),
    );
  });

  test("finds them when the pattern names them", async () => {
    expect(await paths({ pattern: "node_modules/**" })).toEqual(["node_modules/p/index.js"]);
    expect(await paths({ pattern: "**/.git/*" })).toEqual([".git/config"]);
  });

  test("tells size and time, and truncates to the first paths", async () => {
    expect(await run("files.list", { pattern: "a.txt" })).toEqual({
      files: [{ path: "a.txt", sizeBytes: 48, modifiedAt: "2023-11-14T22:13:20.000Z" }],
      truncated: false,
    });
    const two = await run("files.list", { max: 2 });
    expect(two).toMatchObject({ files: [{ path: "a-b.md" }, { path: "a.txt" }], truncated: true });
    expect(await run("files.list", { pattern: "a*", max: 2 })).toMatchObject({ truncated: false });
  });

  test("stops when the call is aborted", async () => {
    await expect(run("files.list", {}, { signal: AbortSignal.abort("enough") })).rejects.toBe("enough");
  });
});

describe("files.read", () => {
  test("reads UTF-8 with its size", async () => {
    expect(await run("files.read", { path: "a/b.md" })).toEqual({
      path: "a/b.md",
      text: "# Title\n\nWe decided: decision two.\n",
      sizeBytes: 35,
      truncated: false,
    });
  });

  test.each([
    [1, "a"],
    [2, "a"],
    [3, "aä"],
    [5, "aä"],
    [6, "aä漢"],
    [9, "aä漢"],
  ])("truncated to %i bytes keeps whole characters", async (maxBytes, text) => {
    const output = await run("files.read", { path: "wide.txt", maxBytes });
    expect(output).toEqual({ path: "wide.txt", text, sizeBytes: 10, truncated: true });
  });

  test("is not truncated when the size is exactly maxBytes", async () => {
    expect(await run("files.read", { path: "wide.txt", maxBytes: 10 })).toMatchObject({
      text: "aä漢😀",
      truncated: false,
    });
  });

  test("shows what it repaired", async () => {
    expect(await run("files.read", { path: "bom.txt" })).toMatchObject({ text: "hi", warnings: [/byte order mark/] });
    expect(await run("files.read", { path: "latin1.txt" })).toMatchObject({ text: "f\uFFFDr", warnings: [/UTF-8/] });
  });

  test.each([
    ["binary.bin", /"binary.bin" contains NUL bytes/],
    ["utf16.txt", /"utf16.txt" is UTF-16/],
  ])("refuses %s by name", async (path, message) => {
    await expect(run("files.read", { path })).rejects.toMatchObject({ code: "tool-input-invalid", message });
  });
});

describe("search", () => {
  test("finds lines without regard to case, and names what it skipped", async () => {
    expect(await run("files.search", { query: "DECISION" })).toEqual({
      matches: [
        { path: "a.txt", line: 2, text: "Decision: use PostgreSQL" },
        { path: "a/b.md", line: 3, text: "We decided: decision two." },
      ],
      truncated: false,
      skipped: [
        { path: "binary.bin", reason: expect.stringContaining("NUL") },
        { path: "utf16.txt", reason: expect.stringContaining("UTF-16") },
      ],
      skippedCount: 2,
    });
  });

  test("takes a plain query literally and a regex as one", async () => {
    expect(await run("files.search", { query: "(line)", pattern: "*.txt" })).toMatchObject({ matches: [{ line: 3 }] });
    expect(await run("files.search", { query: "^(first|last)\\b", pattern: "*.txt", regex: true })).toMatchObject({
      matches: [{ line: 1 }, { line: 3 }],
    });
  });

  test("truncates at max", async () => {
    expect(await run("files.search", { query: "decision", max: 1 })).toMatchObject({
      matches: [{ path: "a.txt" }],
      truncated: true,
    });
    const text = "x\ny\nx\nx";
    expect(await run("text.search", { text, query: "x", max: 2 })).toEqual({
      matches: [
        { line: 1, text: "x" },
        { line: 3, text: "x" },
      ],
      truncated: true,
    });
    expect(await run("text.search", { text, query: "x", max: 3 })).toMatchObject({ truncated: false });
  });

  test("shortens very long lines without cutting a character", async () => {
    const output = (await run("text.search", { text: `${"y".repeat(1_999)}😀z`, query: "z" })) as {
      matches: { text: string }[];
    };
    expect(output.matches[0]?.text).toBe(`${"y".repeat(1_999)}…`);
  });

  test("refuses a pattern that is no regular expression, with the reason", async () => {
    await expect(run("text.search", { text: "x", query: "(", regex: true })).rejects.toMatchObject({
      code: "tool-input-invalid",
      problems: [{ pointer: "/query", detail: expect.stringContaining("Unterminated group") }],
    });
  });

  test("ends a pattern that backtracks for ever while the event loop stays free", async () => {
    const query = { query: "^(a+)+$", regex: true, signal: new AbortController().signal, budgetMs: 500 };
    await using matcher = createLineMatcher(query);
    let ticks = 0;
    const ticking = setInterval(() => ticks++, 10);
    await expect(matcher.match(`${"a".repeat(60)}!`, 10)).rejects.toMatchObject({
      code: "tool-input-invalid",
      message: /500 ms/,
    });
    clearInterval(ticking);
    expect(ticks).toBeGreaterThan(5);
  });

  test("ends such a pattern at the caller's abort", async () => {
    const controller = new AbortController();
    const running = run(
      "text.search",
      { text: `${"a".repeat(60)}!`, query: "^(a+)+$", regex: true },
      { signal: controller.signal },
    );
    setTimeout(() => controller.abort("stop"), 100);
    await expect(running).rejects.toBe("stop");
  });
});

describe("artifacts", () => {
  test("are written through the call and read back", async () => {
    const call = toolCall();
    const ref = (await registry.run("artifact.write", { name: "reports/sum.md", content: "# Ü" }, call)) as {
      artifactId: string;
    };
    expect(ref).toMatchObject({ name: "reports/sum.md", mediaType: "text/markdown", sizeBytes: 4 });
    expect(await registry.run("artifact.read", { artifactId: ref.artifactId }, call)).toEqual({
      ...ref,
      text: "# Ü",
      truncated: false,
    });
    expect(await registry.run("artifact.read", { artifactId: ref.artifactId, maxBytes: 3 }, call)).toMatchObject({
      text: "# ",
      truncated: true,
    });
  });

  test.each([
    ["data.JSON", undefined, "application/json"],
    ["notes", undefined, "text/plain"],
    ["x.md", "text/html; charset=utf-8", "text/html; charset=utf-8"],
  ])("%s with media type %s is kept as %s", async (name, mediaType, expected) => {
    expect(await run("artifact.write", { name, content: "", mediaType })).toMatchObject({ mediaType: expected });
  });

  test.each(["../x", "a/../b", "/abs", "a//b", "c:\\x", "a\nb", "nul\0", "..", "dot.", "con|x"])(
    "refuse the name %j",
    async (name) => {
      await expect(run("artifact.write", { name, content: "" })).rejects.toMatchObject({ code: "tool-input-invalid" });
    },
  );
});

test("clock.now tells the call's time", async () => {
  expect(await run("clock.now", {})).toEqual({ iso: "2026-01-02T03:04:05.006Z", unixMs: 1767323045006 });
});
