import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createClient } from "@baton/client";
import type { BatonClient } from "@baton/client";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { baton, finished, guard, temporaryFolder } from "./program.ts";

let cwd: string;
let client: BatonClient;
const afterFile: (() => Promise<void>)[] = [];
beforeAll(async () => {
  const afterwards = (work: () => Promise<void>) => void afterFile.push(work);
  cwd = await temporaryFolder(afterwards);
  await mkdir(join(cwd, "papers"));
  await mkdir(join(cwd, "tools"));
  await writeFile(join(cwd, "tools", "till.mjs"), till);
  const dev = baton(["dev", "--port", "0"], { cwd, afterwards });
  const [, baseUrl = ""] = await dev.says(/api +(http:\S+)/);
  client = createClient({ baseUrl, apiKey: (await readFile(join(cwd, ".baton", "api-key"), "utf8")).trim() });
});
afterAll(async () => {
  for (const work of afterFile.toReversed()) await work();
});

/** A tool below a temporary folder finds no package by its name. */
const ofTools = (path: string): string =>
  JSON.stringify(new URL(path, new URL("../../../packages/tools/", import.meta.url)).href);
/** Its first call fails after it may have charged. */
const till = `
import { defineTool } from ${ofTools("src/index.ts")};
import { z } from ${ofTools("node_modules/zod/index.js")};
export default defineTool({
  name: "till.charge",
  description: "Charges",
  effect: "irreversible",
  input: z.strictObject({ amount: z.number() }),
  output: z.strictObject({ receipt: z.string() }),
  execute(_input, { attemptNo, idempotencyKey }) {
    if (attemptNo === 1) throw new Error("the till was reset");
    return { receipt: idempotencyKey };
  },
});
`;

const call = (...args: string[]) => finished(baton(args, { cwd }));

/** A task that reads a file which is not there, and so is out of attempts. */
async function unreadable(path: string): Promise<{ taskId: string; stepId: string }> {
  const { id: taskId } = await client.createTask({
    goal: `Read ${path}`,
    plan: {
      steps: [{ id: "read", type: "tool", tool: "files.read", arguments: { path }, retry: { max_attempts: 1 } }],
    },
    settings: { workspace: join(cwd, "papers") },
  });
  await reaches(taskId, "failed");
  for await (const step of client.steps(taskId)) return { taskId, stepId: step.id };
  throw new Error("The task has no step.");
}

const reaches = (taskId: string, state: string) =>
  vi.waitFor(async () => expect((await client.getTask(taskId)).state).toBe(state), guard);

it("it is listed by its cause and shown with its inputs; why names the commands; a retry goes on", async () => {
  const { taskId, stepId } = await unreadable("one.txt");
  const list = await call("dead-letters", "--task", taskId);
  expect(list).toMatchObject({ exit: 0, stderr: "" });
  expect(list.stdout).toMatch(/^1 dead letter of 1 cause\n\n +1 × \S+ +files\.read, 1 task\n/);
  expect(list.stdout).toContain(`${stepId}  read `);
  const shown = await call("dead-letters", "show", stepId);
  expect(shown.stdout).toContain('"path": "one.txt"');
  const reason = await call("why", taskId);
  for (const { stdout } of [shown, reason]) {
    expect(stdout).toContain(`npm run baton -- dead-letters retry ${stepId}\n`);
    expect(stdout).toContain(`npm run baton -- resolve ${stepId} \\\n`);
  }
  await writeFile(join(cwd, "papers", "one.txt"), "here");
  expect(await call("dead-letters", "retry", stepId, "--reason", "it is there now")).toMatchObject({
    exit: 0,
    stdout: "1 step of 1 task retried\n",
  });
  await reaches(taskId, "completed");
  expect((await call("dead-letters", "--task", taskId)).stderr).toMatch(/No dead letter/);
});

it("a whole cause is retried at once, as the list says it", async () => {
  const tasks = [await unreadable("two.txt"), await unreadable("two.txt")];
  const [line = ""] = (await call("dead-letters", "--json")).stdout.trim().split("\n");
  const group = JSON.parse(line) as { id: string; count: number };
  expect(group.count).toBe(2);
  await writeFile(join(cwd, "papers", "two.txt"), "here");
  const retried = await call("dead-letters", "retry", "--group", group.id, "--json");
  expect(JSON.parse(retried.stdout)).toEqual({ retriedSteps: 2, retriedTasks: 2 });
  for (const { taskId } of tasks) await reaches(taskId, "completed");
  const nothing = await call("dead-letters", "retry", "--group", group.id);
  expect(nothing).toMatchObject({ exit: 0, stdout: "0 steps of 0 tasks retried\n" });
});

it("it is completed with an output or a file of one, or skipped, once", async () => {
  const [one, two, three] = [await unreadable("3.txt"), await unreadable("4.txt"), await unreadable("5.txt")];
  const resolve = (stepId: string, ...how: string[]) => call("resolve", stepId, ...how, "--reason", "read on paper");
  const done = await resolve(one.stepId, "--output", '{"text":"by hand"}');
  expect(done).toMatchObject({ exit: 0, stdout: `${one.stepId}  completed\n${one.taskId}  completed  (its task)\n` });
  expect((await client.getTask(one.taskId)).result).toEqual({ text: "by hand" });
  await writeFile(join(cwd, "output.json"), "[1]");
  expect((await resolve(two.stepId, "--output-file", "output.json", "--json")).exit).toBe(0);
  expect((await client.getTask(two.taskId)).result).toEqual([1]);
  expect((await resolve(three.stepId, "--skip")).stdout).toContain("skipped\n");
  expect((await resolve(three.stepId, "--skip")).stdout).toContain("skipped  (it already was)\n");
  const refused = await resolve(three.stepId, "--output", "1");
  expect(refused.stderr).toMatch(/is skipped; only a dead letter can be resolved/);
  expect(refused.exit).toBe(65);
  expect(await resolve(three.taskId, "--skip")).toMatchObject({ exit: 66, stdout: "" });
  expect(await resolve(three.stepId, "--output-file", "nowhere.json")).toMatchObject({ exit: 66, stdout: "" });
});

it("a call in doubt is shown as it was made, and made again or not by a person's word", async () => {
  const charge = async () => {
    const step = { id: "pay", type: "tool", tool: "till.charge", arguments: { amount: 3 } } as const;
    const { id: taskId } = await client.createTask({ goal: "Pay", plan: { steps: [step] } });
    await reaches(taskId, "blocked");
    for await (const { id: stepId } of client.steps(taskId)) return { taskId, stepId };
    throw new Error("The task has no step.");
  };
  const [one, two] = [await charge(), await charge()];
  const why = await call("why", one.taskId);
  const shown = await call("dead-letters", "show", one.stepId);
  expect(why.stdout.replaceAll(/\s+/g, " ")).toContain('till.charge({"amount": 3})');
  expect(shown.stdout).toContain(`${one.stepId}-1`);
  for (const { stdout } of [why, shown]) {
    for (const how of ["--happened '<json>'", "--did-not-happen"]) {
      expect(stdout.replaceAll(/\\\n\s+/g, "")).toContain(`resolve ${one.stepId} ${how} --reason '<why>'`);
    }
  }
  const resolve = (stepId: string, ...how: string[]) => call("resolve", stepId, ...how, "--reason", "looked");
  expect(await resolve(one.stepId, "--happened", '{"receipt":"r-17"}', "--skip")).toMatchObject({ exit: 64 });
  expect(await resolve(one.stepId, "--skip", "--call", "1")).toMatchObject({ exit: 64 });
  expect(await resolve(one.stepId, "--did-not-happen", "--call", "2")).toMatchObject({ exit: 64 });
  const told = await resolve(one.stepId, "--happened", '{"receipt":"r-17"}');
  expect(told).toMatchObject({ exit: 0, stderr: "" });
  expect(told.stdout).toContain(`${one.stepId}  till.charge took place: its step goes on\n${one.taskId}  `);
  expect((await resolve(two.stepId, "--did-not-happen")).stdout).toContain("did not take place: it is made again\n");
  for (const { taskId } of [one, two]) await reaches(taskId, "completed");
  expect((await client.getTask(one.taskId)).result).toEqual({ receipt: "r-17" });
  expect((await client.getTask(two.taskId)).result).toEqual({ receipt: `${two.stepId}-1` });
  expect(await resolve(two.stepId, "--did-not-happen")).toMatchObject({ exit: 66 });
});
