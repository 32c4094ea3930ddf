import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BatonError } from "@baton/core";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createBuiltinTools, createToolRegistry } from "../src/index.ts";
import { toolCall } from "./call.ts";

const registry = createToolRegistry({ tools: createBuiltinTools() });
const secret = "the secret outside";
let base: string;
let workspace: string;

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), "baton tools ü-"));
  workspace = join(base, "work");
  await mkdir(join(workspace, "docs", "deep"), { recursive: true });
  await mkdir(join(base, "work-sibling"));
  await mkdir(join(base, "outside"));
  for (const path of ["outside/secret.md", "work-sibling/secret.md", "secret.md"])
    await writeFile(join(base, path), secret);
  await writeFile(join(workspace, "a.md"), "alpha");
  await writeFile(join(workspace, "docs/deep/b.md"), "beta");
  await symlink(join(base, "outside"), join(workspace, "out"));
  await symlink("../../outside/secret.md", join(workspace, "docs/escape.md"));
  await symlink("../a.md", join(workspace, "docs/inner.md"));
  await symlink("deep", join(workspace, "docs/shortcut"));
  await symlink("..", join(workspace, "docs/up"));
  await symlink("loop", join(workspace, "loop"));
});

afterAll(() => rm(base, { recursive: true, force: true }));

const read = (path: string, folder: string | undefined = workspace) =>
  registry.run("files.read", { path }, toolCall({ workspace: folder })) as Promise<{ path: string; text: string }>;
const list = async (pattern: string): Promise<string[]> => {
  const output = await registry.run("files.list", { pattern }, toolCall({ workspace }));
  return (output as { files: { path: string }[] }).files.map(({ path }) => path);
};

describe("files.read", () => {
  test.each([
    ["a.md", "alpha", "a.md"],
    ["./docs//deep/../deep/b.md", "beta", "docs/deep/b.md"],
    ["docs/inner.md", "alpha", "docs/inner.md"],
    ["docs/shortcut/b.md", "beta", "docs/shortcut/b.md"],
  ])("reads %s inside", async (path, text, normal) => {
    expect(await read(path)).toMatchObject({ text, path: normal });
  });

  test.each([
    "../secret.md",
    "..",
    "docs/../../secret.md",
    "../work-sibling/secret.md",
    "/etc/passwd",
    "C:\\Windows\\win.ini",
    "c:secret",
    "\\\\server\\share\\x",
    "a.md\0.txt",
    "out/secret.md",
    "out/does-not-exist",
    "docs/escape.md",
    "docs/up/../../../secret.md",
  ])("refuses %j", async (path) => {
    const error = (await read(path).catch((caught: unknown) => caught)) as BatonError;
    expect(error.code).toBe("path-outside-workspace");
    expect(error.problems).toMatchObject([{ pointer: "/path" }]);
    expect(error.message).not.toContain(base);
  });

  test.each([
    ["missing.md", /does not exist/],
    ["a.md/below", /does not exist/],
    ["docs", /is not a regular file|is a folder/],
    ["loop", /is a loop of links/],
    ["", /must not be empty/],
    ["x".repeat(5_000), /too long/],
  ])("says why %.20j is not readable, without the machine's path", async (path, why) => {
    const error = (await read(path).catch((caught: unknown) => caught)) as BatonError;
    expect(error.code).toBe("tool-input-invalid");
    expect(error.message).toMatch(why);
    expect(error.message).not.toContain(base);
  });

  test("is one that the operator allows, or below one, also through links", async () => {
    const strict = createToolRegistry({
      tools: createBuiltinTools({ workspaces: [join(workspace, "docs"), join(base, "nowhere")] }),
    });
    const list = (folder: string) => strict.run("files.list", { pattern: "*.md" }, toolCall({ workspace: folder }));
    await expect(list(join(workspace, "docs", "deep"))).resolves.toMatchObject({ files: [{ path: "b.md" }] });
    for (const folder of [workspace, "/", join(workspace, "docs", "up"), join(base, "missing")]) {
      await expect(list(folder)).rejects.toMatchObject({ code: "path-outside-workspace", message: /BATON_WORKSPACES/ });
    }
  });

  test("needs a workspace", async () => {
    const running = registry.run("files.read", { path: "a.md" }, toolCall());
    await expect(running).rejects.toMatchObject({ code: "tool-input-invalid", message: /no workspace folder/ });
    await expect(read("a.md", join(base, "nowhere"))).rejects.toMatchObject({ code: "tool-failed" });
  });

  test.skipIf(process.platform === "win32")("refuses a FIFO instead of waiting for a writer", async () => {
    execFileSync("mkfifo", [join(workspace, "pipe")]);
    await expect(read("pipe")).rejects.toMatchObject({ code: "tool-input-invalid", message: /not a regular file/ });
  });

  test("never reads outside for any path of plausible and hostile segments", async () => {
    const segment = fc.oneof(
      fc.constantFrom(
        "..",
        ".",
        "",
        "docs",
        "deep",
        "up",
        "out",
        "shortcut",
        "loop",
        "outside",
        "work",
        "secret.md",
        "a.md",
        "b.md",
      ),
      fc.constantFrom("escape.md", "inner.md", "work-sibling", "...", "..\\..", "%2e%2e", "\0"),
      fc.string({ maxLength: 6 }),
    );
    const path = fc.tuple(
      fc.constantFrom("", "", "", "/", "./", "../"),
      fc.array(segment, { minLength: 1, maxLength: 8 }),
    );
    await fc.assert(
      fc.asyncProperty(path, async ([prefix, segments]) => {
        const outcome = await read(prefix + segments.join("/")).catch((error: unknown) => error as BatonError);
        if ("text" in outcome) expect(["alpha", "beta"]).toContain(outcome.text);
        else expect(["path-outside-workspace", "tool-input-invalid"]).toContain(outcome.code);
      }),
      { numRuns: 1_000 },
    );
  });

  test.skipIf(process.platform === "win32")(
    "never reads outside while a folder is swapped for a link and back",
    async () => {
      const folder = join(workspace, "swap");
      await mkdir(folder);
      await writeFile(join(folder, "secret.md"), "inside");
      await symlink(join(base, "outside"), join(workspace, "swap-link"));
      let isSwapping = true;
      const swapping = (async () => {
        while (isSwapping) {
          await rename(folder, join(workspace, "swap-away"));
          await rename(join(workspace, "swap-link"), folder);
          await rename(folder, join(workspace, "swap-link"));
          await rename(join(workspace, "swap-away"), folder);
        }
      })();
      const seen = new Set<string>();
      for (let round = 0; round < 1_500; round++) {
        const outcome = await read("swap/secret.md").catch((error: unknown) => error as BatonError);
        seen.add("text" in outcome ? outcome.text : outcome.code);
      }
      isSwapping = false;
      await swapping;
      await rm(join(workspace, "swap-link"));
      await rm(folder, { recursive: true });
      expect(
        [...seen].filter((outcome) => !["inside", "path-outside-workspace", "tool-input-invalid"].includes(outcome)),
      ).toEqual([]);
      expect(seen).toContain("inside");
    },
  );
});

describe("files.list and files.search", () => {
  test("find links to files inside, and neither follow folders' links nor name links out", async () => {
    expect(await list("**/*.md")).toEqual(["a.md", "docs/deep/b.md", "docs/inner.md"]);
    expect(await list("out/**")).toEqual([]);
    const found = await registry.run("files.search", { query: "secret" }, toolCall({ workspace }));
    expect(found).toMatchObject({ matches: [], skipped: [] });
  });

  test.each(["../**", "/etc/*", "docs/../../*", "{..,docs}/*", "a\0b"])("refuse the pattern %j", async (pattern) => {
    await expect(list(pattern)).rejects.toMatchObject({
      code: "path-outside-workspace",
      problems: [{ pointer: "/pattern" }],
    });
  });
});
