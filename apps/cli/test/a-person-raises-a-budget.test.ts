import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createClient } from "@baton/client";
import type { BatonClient } from "@baton/client";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { baton, finished, temporaryFolder } from "./program.ts";

let cwd: string;
let client: BatonClient;
const afterFile: (() => Promise<void>)[] = [];
beforeAll(async () => {
  const afterwards = (work: () => Promise<void>) => void afterFile.push(work);
  cwd = await temporaryFolder(afterwards);
  const dev = baton(["dev", "--port", "0"], { cwd, afterwards });
  const [, baseUrl = ""] = await dev.says(/api +(http:\S+)/);
  client = createClient({ baseUrl, apiKey: (await readFile(join(cwd, ".baton", "api-key"), "utf8")).trim() });
});
afterAll(async () => {
  for (const work of afterFile.toReversed()) await work();
});

const call = (...args: string[]) => finished(baton(args, { cwd }));
const reaches = (taskId: string, state: string) =>
  vi.waitFor(async () => expect((await client.getTask(taskId)).state).toBe(state), { timeout: 60_000, interval: 100 });

it("sees why a task is held, raises its cap with the command that is shown, and the task goes on", async () => {
  const look = { type: "tool" as const, tool: "clock.now" };
  const { id } = await client.createTask({
    goal: "Look twice",
    plan: {
      steps: [
        { id: "first", ...look },
        { id: "second", ...look, depends_on: ["first"] },
      ],
    },
    settings: { budget: { toolCalls: 1, onBreach: "ask" } },
  });
  await reaches(id, "blocked");

  const why = await call("why", id);
  expect(why.stdout).toMatch(/second: The task's budget allows 1 tool calls \(budget\.toolCalls\)/);
  expect(why.stdout).toContain(`npm run baton -- budget ${id}`);
  const before = await call("budget", id);
  expect(before).toMatchObject({ exit: 0 });
  expect(before.stdout).toMatch(/tool calls +1 of 1$/m);

  const raised = await call("budget", id, "--tool-calls", "5", "--reason", "worth it");
  expect(raised.stderr).toContain("The budget was changed");
  expect(raised.stdout).toMatch(/tool calls +\d of 5$/m);
  await reaches(id, "completed");
  const after = JSON.parse((await call("budget", id, "--json")).stdout) as { settled: { toolCalls: number } };
  expect(after.settled.toolCalls).toBe(2);
  const refused = await call("budget", id, "--tool-calls", "9");
  expect(refused.stderr).toContain("is completed");
  expect(refused.exit).toBe(65);
});

it("sees what calls have cost, by whatever", async () => {
  for (const by of ["day", "model", "task"]) {
    const { exit, stdout } = await call("usage", "--by", by);
    expect(exit).toBe(0);
    expect(stdout).toMatch(/total +0 calls +0 tokens +\$0\.0000/);
  }
});
