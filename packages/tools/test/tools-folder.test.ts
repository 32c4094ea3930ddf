import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { loadToolsFolder, watchToolsFolder } from "../src/index.ts";
import type { ToolsFolderChange } from "../src/folder/watch.ts";
import { toolCall } from "./call.ts";

/** Inside the package, so that the files can import it and zod by name, as users' files do. */
const base = join(import.meta.dirname, ".baton");
let folder: string;

beforeAll(() => mkdir(base, { recursive: true }));
afterAll(() => rm(base, { recursive: true, force: true }));
beforeEach(async () => {
  folder = await mkdtemp(join(base, "tools ü-"));
});

const index = new URL("../src/index.ts", import.meta.url).href;

function source(name: string, answer: string, exported = "export default"): string {
  return `
    import { z } from "zod";
    import { defineTool } from ${JSON.stringify(index)};
    const answer${exported.endsWith("ts") ? ": string" : ""} = ${JSON.stringify(answer)};
    ${exported.replace("ts", "")} defineTool({
      name: ${JSON.stringify(name)}, description: "Answers.", effect: "read",
      input: z.strictObject({}), output: z.string(), execute: () => answer,
    });`;
}

const write = (name: string, text: string) => writeFile(join(folder, name), text);
const namesOf = (tools: readonly { name: string }[]) => tools.map(({ name }) => name);

describe("a tools folder", () => {
  test("gives the tools of its files, by default or named export, in TypeScript and JavaScript", async () => {
    await write("a.ts", source("a", "1", "export default ts"));
    await write(
      "b.mjs",
      `${source("b", "1", "export const b =")}\n${source("c", "1", "export const c =")
        .replace(/import.*\n/g, "")
        .replace("const answer", "const other")}`,
    );
    await write("_helper.ts", "export const x = 1;");
    await write("notes.md", "no tool");
    await write("a.test.ts", "throw new Error('not loaded')");
    await write("a.d.ts", "export {};");
    const tools = await loadToolsFolder(folder);
    expect(namesOf(tools)).toEqual(["a", "b", "c"]);
    expect(await tools[0]?.execute({}, toolCall())).toBe("1");
  });

  test.each([
    ["broken.ts", "export default ((", /Tools file broken.ts cannot be loaded/],
    ["throws.ts", "throw new Error('at import')", /Tools file throws.ts cannot be loaded: at import/],
    ["empty.ts", "export const x = 1;", /Tools file empty.ts exports no tool/],
    ["bad.ts", source("Bad Name", "1"), /Tools file bad.ts cannot be loaded: Tool "Bad Name": name/],
  ])("names %s when it has no valid tool", async (file, text, message) => {
    await write("good.ts", source("good", "1"));
    await write(file, text);
    await expect(loadToolsFolder(folder)).rejects.toMatchObject({ code: "invalid-configuration", message });
  });

  test("names both files of a duplicate, and a folder that is missing", async () => {
    await write("one.ts", source("same", "1"));
    await write("two.ts", source("same", "2"));
    await expect(loadToolsFolder(folder)).rejects.toThrowError(/"same" stands in one.ts and in two.ts/);
    await expect(loadToolsFolder(join(folder, "none"))).rejects.toThrowError(/none" cannot be read/);
  });
});

describe("a watched tools folder", () => {
  test("reloads what changed, keeps the previous version of a broken file, and follows additions and removals", async () => {
    const changes: ToolsFolderChange[] = [];
    const state = async () => {
      const change = changes.at(-1);
      const answers = await Promise.all(
        (change?.tools ?? []).map(async (tool) => `${tool.name}=${String(await tool.execute({}, toolCall()))}`),
      );
      return [...answers, ...(change?.problems ?? []).map(({ message }) => /[a-z]+\.ts/.exec(message)?.[0] ?? message)];
    };
    const reaches = (expected: string[]) => expect.poll(state, { timeout: 30_000, interval: 20 }).toEqual(expected);
    await write("a.ts", source("a", "1"));
    const watch = await watchToolsFolder(folder, (change) => changes.push(change), { intervalMs: 20 });
    expect(await state()).toEqual(["a=1"]);

    await write("a.ts", source("a", "2"));
    await reaches(["a=2"]);
    await write("a.ts", "export default ((");
    await reaches(["a=2", "a.ts"]);
    await write("b.ts", source("b", "1"));
    await reaches(["a=2", "b=1", "a.ts"]);
    await write("a.ts", source("a", "3"));
    await reaches(["a=3", "b=1"]);
    await write("c.ts", source("b", "9"));
    await reaches(["a=3", "b=1", "b.ts"]);
    await rm(join(folder, "c.ts"));
    await reaches(["a=3", "b=1"]);
    await rm(join(folder, "b.ts"));
    await reaches(["a=3"]);

    const reported = changes.length;
    await watch.close();
    await write("a.ts", source("a", "4"));
    expect(changes.length).toBe(reported);
  });

  test("reports a broken folder at the start instead of failing", async () => {
    await write("a.ts", "export default ((");
    const changes: ToolsFolderChange[] = [];
    const watch = await watchToolsFolder(folder, (change) => changes.push(change));
    await watch.close();
    expect(changes).toMatchObject([{ tools: [], problems: [{ code: "invalid-configuration" }] }]);
  });
});
