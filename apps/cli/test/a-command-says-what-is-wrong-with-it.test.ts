import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { baton, finished, temporaryFolder } from "./program.ts";

const id = "019abc00-0000-7000-8000-000000000001";

describe("a wrong command line", () => {
  it.each([
    ["an unknown command", ["dmeo"], /unknown command 'dmeo'\n\(Did you mean demo\?\)/],
    ["an unknown option", ["run", "goal", "--jsn"], /unknown option '--jsn'\n\(Did you mean --json\?\)/],
    ["a missing argument", ["run"], /missing required argument 'goal'/],
    ["an argument too many", ["why", id, "more"], /too many arguments/],
    ["a resolution without its reason", ["resolve", id, "--skip"], /required option '--reason <text>' not specified/],
    [
      "a resolution in no way",
      ["resolve", id, "--reason", "r"],
      /in one way: --output JSON, --output-file FILE or --skip for the step; --happened JSON/,
    ],
    ["two resolutions", ["resolve", id, "--skip", "--output", "1", "--reason", "r"], /in one way/],
    [
      "an output that is no JSON",
      ["resolve", id, "--output", "done", "--reason", "r"],
      /not JSON.*A text needs its quotes/,
    ],
    ["nothing to retry", ["dead-letters", "retry"], /Say which: ids, --code, --group or --task/],
    ["an id that is none", ["dead-letters", "show", "x"], /"x" is not the id of a step.*dead-letters/],
    ["a number that is none", ["dev", "--workers", "0"], /whole number from 1 to 999/],
    ["a port that is none", ["dev", "--port", "65536"], /port from 0 to 65535/],
    ["scopes that are none", ["key", "create", "ci", "--scopes", "all"], /Name some of read, write, admin/],
    ["a cap that is none", ["budget", id, "--tokens", "-5"], /Name a whole number, or none/],
    ["a group that is none", ["usage", "--by", "moon"], /Allowed choices are day, model, task/],
    ["a share that is none", ["eval", "--at-least", "90"], /Name a share from 0 to 1, like 0\.9/],
    ["a model without its provider", ["demo", "--model", "claude"], /Name a provider and a model, like anthropic/],
  ])("with %s ends with 64 and names the fix", async (_what, args, said) => {
    const { exit, stdout, stderr } = await finished(baton(args, { cwd: await temporaryFolder() }));
    expect(stderr).toMatch(said);
    expect({ exit, stdout }).toEqual({ exit: 64, stdout: "" });
  });

  it("is answered with help when help is asked for", async () => {
    const { exit, stdout } = await finished(baton(["--help"], { cwd: await temporaryFolder() }));
    expect(exit).toBe(0);
    for (const command of [
      "demo",
      "dev",
      "run",
      "status",
      "tail",
      "why",
      "budget",
      "usage",
      "eval",
      "cancel",
      "dead-letters",
      "resolve",
      "key",
      "config",
      "migrate",
    ]) {
      expect(stdout).toContain(`\n  ${command}`);
    }
  });
});

describe("a command that cannot go on", () => {
  it("names a folder that does not exist and ends with 66", async () => {
    const { exit, stderr } = await finished(baton(["demo", "nowhere"], { cwd: await temporaryFolder() }));
    expect(stderr).toMatch(/nowhere is not a folder/);
    expect(exit).toBe(66);
  });

  it.each([[["status"]], [["run", "goal"]], [["cancel", id]], [["key", "list"]]])(
    "says how to start a stack when none runs, and ends with 69: %s",
    async (args) => {
      const { exit, stderr, stdout } = await finished(baton(args, { cwd: await temporaryFolder() }));
      expect(stderr).toMatch(/No Baton runs here.*npm run dev.*BATON_URL/);
      expect({ exit, stdout }).toEqual({ exit: 69, stdout: "" });
    },
  );

  it("says that nobody answers at BATON_URL and ends with 69", async () => {
    const env = { BATON_URL: "http://127.0.0.1:9", BATON_API_KEY: "baton_0123456789abcdef" };
    const { exit, stderr } = await finished(baton(["status"], { cwd: await temporaryFolder(), env }));
    expect(stderr).toMatch(/No answer came from http:\/\/127\.0\.0\.1:9/);
    expect(exit).toBe(69);
  });

  it("names every wrong setting at once and ends with 78", async () => {
    const cwd = await temporaryFolder();
    await writeFile(join(cwd, "baton.toml"), "colour = 1\n[api]\nport = -1\n");
    const { exit, stderr } = await finished(baton(["config"], { cwd }));
    expect(stderr).toMatch(/2 problems[\s\S]*colour[\s\S]*api\.port|2 problems[\s\S]*api\.port[\s\S]*colour/);
    expect(exit).toBe(78);
  });

  it("refuses to migrate a database that nobody named", async () => {
    const { exit, stderr } = await finished(baton(["migrate"], { cwd: await temporaryFolder() }));
    expect(stderr).toMatch(/DATABASE_URL/);
    expect(exit).toBe(78);
  });
});

describe("config", () => {
  it("prints the settings in force without their secrets", async () => {
    const cwd = await temporaryFolder();
    const env = { ANTHROPIC_API_KEY: "sk-secret-1", DATABASE_URL: "postgres://u:secret2@h/db", BATON_CONCURRENCY: "7" };
    const { exit, stdout } = await finished(baton(["config"], { cwd, env }));
    expect(exit).toBe(0);
    expect(stdout).toMatch(/worker\.concurrency +7 +BATON_CONCURRENCY/);
    expect(stdout).toMatch(/api\.port +3000 +default; set BATON_PORT/);
    expect(stdout).not.toMatch(/sk-secret|secret2/);
  });

  it("is one JSON object per line for scripts", async () => {
    const { stdout } = await finished(baton(["config", "--json"], { cwd: await temporaryFolder() }));
    const settings = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { path: string });
    expect(settings.map(({ path }) => path)).toContain("task.maxSteps");
  });
});
