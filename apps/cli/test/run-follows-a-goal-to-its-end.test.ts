import { existsSync, readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { baton, finished, start, temporaryFolder } from "./program.ts";
import type { Afterwards, RunOptions } from "./program.ts";

const goal = "Summarise every Markdown file below notes";

interface Project extends RunOptions {
  readonly call: (...args: string[]) => Promise<{ exit: number | string; stdout: string; stderr: string }>;
}

/** A project with three notes and a running stack. */
async function project(afterwards: Afterwards, env: Readonly<Record<string, string>> = {}): Promise<Project> {
  const cwd = await temporaryFolder(afterwards);
  await mkdir(join(cwd, "notes"));
  for (const name of ["one", "two", "three"]) {
    await writeFile(join(cwd, "notes", `${name}.md`), `# ${name}\n\nThe house has ${name} rooms with a view.\n`);
  }
  await baton(["dev", "--port", "0"], { cwd, env, afterwards }).says(/baton dev up/);
  return { cwd, call: (...args) => finished(baton(args, { cwd })) };
}

const lines = (text: string) => text.trim().split("\n");

let shared: Project;
const afterFile: (() => Promise<void>)[] = [];
beforeAll(async () => {
  shared = await project((work) => void afterFile.push(work));
});
afterAll(async () => {
  for (const work of afterFile.toReversed()) await work();
});

describe("baton run", () => {
  it("prints the result alone on standard output, saves the artifacts, and is quiet without a terminal", async () => {
    const { cwd, call } = shared;
    const { exit, stdout, stderr } = await call("run", goal, "--dir", ".", "--out", "out");
    expect(stdout).toMatch(/^\[offline model\]/);
    expect(stdout).toContain("The house has two rooms with a view.");
    expect(stderr).toMatch(/^saved out\/summaries\.md \(\d.*\)\n$/);
    expect(readFileSync(join(cwd, "out", "summaries.md"), "utf8").trim()).toBe(stdout.trim());
    expect(exit).toBe(0);

    const plan = await call("run", goal, "--dir", ".", "--plan-only");
    expect(plan).toMatchObject({ exit: 0, stderr: "" });
    expect(lines(plan.stdout)[0]).toMatch(/1 +list +tool +Find the files/);
    const tasks = lines((await call("status", "--json")).stdout).map(
      (line) => JSON.parse(line) as { id: string; totalSteps: number; state: string },
    );
    // The newest one was planned only: it has no step of its own.
    expect(tasks.slice(0, 2).map(({ totalSteps, state }) => [totalSteps > 0, state])).toEqual([
      [false, "completed"],
      [true, "completed"],
    ]);
    const shown = await call("status", tasks[1]?.id ?? "");
    expect(shown.stdout).toMatch(/completed {2}100 %[\s\S]*list +tool[\s\S]*█/);
    const told = await call("tail", tasks[1]?.id ?? "", "--json");
    expect(lines(told.stdout).map((line) => (JSON.parse(line) as { no: number }).no)[0]).toBe(1);
    expect(told.exit).toBe(0);
  });

  it("is one JSON object per line for scripts, with the result in the last", async () => {
    const { cwd, call } = shared;
    const { exit, stdout, stderr } = await call("run", goal, "--dir", "notes/..", "--json");
    const objects = lines(stdout).map((line) => JSON.parse(line) as { type: string; state?: string; path?: string });
    expect(objects[0]?.type).toBe("task");
    expect(objects.at(-1)).toMatchObject({ type: "result", state: "completed", error: null });
    const artifact = objects.find(({ type }) => type === "artifact");
    expect(existsSync(artifact?.path ?? "")).toBe(true);
    expect(artifact?.path?.startsWith(join(cwd, "baton-output"))).toBe(true);
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: "" });
  });

  it("ends with the exit code of what went wrong, and says how to go on", async () => {
    const { call } = shared;
    const cannot = await call("run", "Translate the notes to Klingon", "--dir", ".");
    expect(cannot).toMatchObject({ exit: 65, stdout: "" });
    expect(cannot.stderr).toMatch(/failed[\s\S]*offline-cannot-plan[\s\S]*baton -- retry/);
    for (const line of cannot.stderr.split("\n")) expect(line.length).toBeLessThanOrEqual(120);

    const unknown = await call("run", goal, "--model", "nobody/none");
    expect(unknown).toMatchObject({ exit: 65, stdout: "" });
    expect(unknown.stderr).toMatch(/nobody/);
    expect(await call("run", " ")).toMatchObject({
      exit: 65,
      stderr: expect.stringMatching(/goal is empty/) as string,
    });
    expect(await call("why", "019abc00-0000-7000-8000-000000000001")).toMatchObject({ exit: 66 });
    expect(await call("why", "nonsense")).toMatchObject({ exit: 64 });
  });

  it("lets the task go on when it is interrupted, and others pause, resume and cancel it", async () => {
    const { cwd, call } = await project(onTestFinished, { BATON_OFFLINE_LATENCY_MS: "2000" });
    const running = baton(["run", goal, "--dir", ".", "--json"], { cwd });
    const [, id = ""] = await running.says(/"type":"task","id":"([^"]+)"/);
    await running.says(/step-started/);
    running.child.kill("SIGINT");
    expect(await running.ended).toBe(130);
    expect(running.stderr).toMatch(/goes on.*tail.*cancel/);

    expect(await call("pause", id)).toMatchObject({ exit: 0, stdout: expect.stringContaining("paused") as string });
    expect((await call("why", id)).stdout).toMatch(/^paused/);
    expect(await call("resume", id)).toMatchObject({ exit: 0 });
    const cancelled = await call("cancel", id, "--reason", "enough");
    expect(cancelled).toMatchObject({ exit: 0, stdout: expect.stringContaining("cancelled") as string });
    expect((await call("cancel", id)).exit).toBe(0);
    expect((await call("tail", id)).exit).toBe(65);
  });
});

describe("keys", () => {
  it("are made, listed and revoked, and open the api for whoever has BATON_URL and the key", async () => {
    const { cwd, call } = shared;
    const { urls } = JSON.parse(readFileSync(join(cwd, ".baton", "stack.json"), "utf8")) as {
      urls: { api: string };
    };
    const made = await call("key", "create", "ci", "--scopes", "read");
    const key = made.stdout.trim();
    expect(key).toMatch(/^baton_/);
    const elsewhere = await temporaryFolder();
    const env = { BATON_URL: urls.api, BATON_API_KEY: key };
    const away = (...args: string[]) => finished(baton(args, { cwd: elsewhere, env }));
    expect(await away("status")).toMatchObject({ exit: 0 });
    expect(await away("run", goal)).toMatchObject({ exit: 77, stderr: expect.stringContaining("write") as string });
    const [id = ""] =
      lines((await call("key", "list")).stdout)
        .find((line) => line.endsWith("ci"))
        ?.split(" ") ?? [];
    expect((await call("key", "revoke", id)).exit).toBe(0);
    expect(await away("status")).toMatchObject({ exit: 77 });
  });
});

describe("a reader that leaves early", () => {
  it("is no error of the command", async () => {
    const cwd = await temporaryFolder();
    const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));
    const script = `"$0" "$1" config | head -n 1; echo "\${PIPESTATUS[0]}"`;
    const shell = start(
      [
        "-e",
        `require("child_process").spawnSync("bash", ["-c", ${JSON.stringify(script)}, process.execPath, ${JSON.stringify(main)}], { stdio: "inherit" })`,
      ],
      { cwd },
    );
    await shell.ended;
    expect(shell.stderr).not.toMatch(/EPIPE/);
  });
});
