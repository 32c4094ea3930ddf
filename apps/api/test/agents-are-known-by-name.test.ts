/** An agent that a plan names is in the task as it was defined when the task was created. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openAgentFolder } from "@baton/definitions";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { createInstallation } from "./installation.ts";
import type { Installation } from "./installation.ts";

let at: Installation;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "baton-agents-"));
  at = await createInstallation(inject("postgresUrl"), { agents: openAgentFolder(folder) });
});
afterAll(async () => {
  await at?.close();
  await rm(folder, { recursive: true, force: true });
});

const write = (name: string, front: string) =>
  writeFile(join(folder, name), `---\n${front}\n---\nRead what you are given.\n`);
const planOf = (agent: unknown) => ({ plan: { steps: [{ id: "a", type: "agent", agent, prompt: "Read." }] } });

async function created(agent: unknown): Promise<Readonly<Record<string, unknown>>> {
  const answer = await at.call("POST", "/api/v1/tasks", { body: planOf(agent) });
  expect(answer.status).toBe(202);
  const { id } = (await answer.json()) as { id: string };
  const rows = await at.database.read<{ config: { agent: Readonly<Record<string, unknown>> } }>(
    "select config from baton.task_execution_step where task_id = $1",
    [id],
  );
  return rows[0]?.config.agent ?? {};
}

async function refused(agent: unknown) {
  const answer = await at.call("POST", "/api/v1/tasks", { body: planOf(agent) });
  const { code, errors } = (await answer.json()) as { code: string; errors: { pointer: string; detail: string }[] };
  return { status: answer.status, code, pointer: errors[0]?.pointer, detail: errors[0]?.detail };
}

describe("an agent", () => {
  it("by its name is the one of the file, and stays it when the file changes", async () => {
    await write("reader.md", "description: Reads.\ntools: [files.read]");
    const before = await created("reader");
    expect(before).toMatchObject({ name: "reader", description: "Reads.", tools: ["files.read"] });
    await write("reader.md", "description: Reads better.");
    expect(await created("reader")).toMatchObject({ description: "Reads better.", tools: [] });
    expect(before).toMatchObject({ description: "Reads." });
  });

  it("of the plan's own needs no file", async () => {
    const own = { name: "own", description: "Answers.", instructions: "Answer." };
    expect(await created(own)).toMatchObject({ ...own, limits: { turns: 50 } });
  });

  it("is kept with all that it may call, the plan's own first", async () => {
    await write("chief.md", "description: Leads.\nagents: [first, second]");
    await write("first.md", "description: Of the folder.\nagents: [second, chief]");
    await write("second.md", "description: Of the folder.");
    const second = { name: "second", description: "Of the plan.", instructions: "Answer." };
    const step = { id: "a", type: "agent", agent: "chief", agents: [second], prompt: "Lead." };
    const answer = await at.call("POST", "/api/v1/tasks", { body: { plan: { steps: [step] } } });
    const { id } = (await answer.json()) as { id: string };
    const [row] = await at.database.read<{ config: { agents: { name: string; description: string }[] } }>(
      "select config from baton.task_execution_step where task_id = $1",
      [id],
    );
    const kept = (row?.config.agents ?? []).map(({ name, description }) => `${name}: ${description}`);
    expect(kept.toSorted()).toEqual(["chief: Leads.", "first: Of the folder.", "second: Of the plan."]);
  });

  it("that may call one that nobody knows, or one with a model that is not there, is refused", async () => {
    const of = (agents: string[]) => ({ name: "own", description: "Leads.", instructions: "Lead.", agents });
    expect(await refused(of(["nobody"]))).toMatchObject({
      ...{ status: 422, code: "unknown-agent", pointer: "/plan/steps/0/agent" },
      detail: expect.stringContaining('"nobody"'),
    });
    await write("far-away.md", "description: Reads.\nmodel: nowhere/m");
    expect(await refused(of(["far-away"]))).toMatchObject({
      code: "unknown-model",
      pointer: "/plan/steps/0/agents/0/model",
    });
  });

  it("that nobody knows is refused by its place", async () => {
    expect(await refused("writer")).toEqual({
      status: 422,
      code: "unknown-agent",
      pointer: "/plan/steps/0/agent",
      detail: expect.stringContaining("writer"),
    });
  });

  it("whose file cannot be used is refused with file and line", async () => {
    await write("broken.md", "description: Reads.\nlimits: { turns: 0 }");
    expect(await refused("broken")).toMatchObject({
      status: 422,
      code: "unknown-agent",
      detail: expect.stringContaining("broken.md:3: limits.turns"),
    });
  });

  it("does not make a large task of a small request", async () => {
    await writeFile(join(folder, "long.md"), `---\ndescription: Reads.\n---\n${"word ".repeat(19_000)}`);
    const steps = Array.from({ length: 400 }, (_, no) => ({
      id: `s${no}`,
      type: "agent",
      agent: "long",
      prompt: "Read.",
    }));
    const answer = await at.call("POST", "/api/v1/tasks", { body: { plan: { steps } } });
    expect(answer.status).toBe(413);
    expect(await answer.json()).toMatchObject({
      code: "payload-too-large",
      errors: [{ pointer: expect.stringMatching(/^\/plan\/steps\/35\d\/agent$/) }],
    });
  });

  it("with a tool or a model that is not there is refused before anything is written", async () => {
    await write("lost.md", "description: Reads.\ntools: [files.read, nope]");
    expect(await refused("lost")).toMatchObject({ code: "unknown-tool", pointer: "/plan/steps/0/agent/tools/1" });
    await write("far.md", "description: Reads.\nmodel: nowhere/m");
    expect(await refused("far")).toMatchObject({ code: "unknown-model", pointer: "/plan/steps/0/agent/model" });
  });
});

describe("an agent of the tenant's own", () => {
  const url = "/api/v1/agents/clerk";
  const body = { description: "Writes.", instructions: "Write.", tools: ["files.read"] };
  const put = (given: object, headers: Record<string, string> = {}, path = url) =>
    at.call("PUT", path, { body: given, headers });

  it("is created, and each change is a version; the same again is none", async () => {
    const first = await put(body, { "if-none-match": "*" });
    expect([first.status, first.headers.get("etag")]).toEqual([201, '"1"']);
    expect(await first.json()).toMatchObject({
      name: "clerk",
      origin: "api",
      version: 1,
      definition: { ...body, version: 1 },
    });
    expect((await put(body)).headers.get("etag")).toBe('"1"');
    const second = await put({ ...body, description: "Writes well." }, { "if-match": '"1"' });
    expect([second.status, second.headers.get("etag")]).toEqual([200, '"2"']);
    const read = async (query = "") =>
      (await (await at.call("GET", `${url}${query}`)).json()) as { definition: unknown };
    expect((await read()).definition).toMatchObject({ description: "Writes well.", version: 2 });
    expect((await read("?version=1")).definition).toMatchObject({ description: "Writes.", version: 1 });
    expect((await at.call("GET", `${url}?version=9`)).status).toBe(404);
  });

  it("is not overwritten by who has not read it", async () => {
    for (const headers of [{ "if-match": '"1"' }, { "if-none-match": "*" }]) {
      const stale = await put({ ...body, description: "Mine." }, headers);
      expect([stale.status, ((await stale.json()) as { code: string }).code]).toEqual([412, "version-conflict"]);
    }
    const odd = await put(body, { "if-match": "two" });
    expect([odd.status, ((await odd.json()) as { code: string }).code]).toEqual([400, "invalid-request"]);
  });

  it("goes before a file of its name, and a task keeps the version it began with", async () => {
    await write("clerk.md", "description: Of a file.");
    expect(await created("clerk")).toMatchObject({ description: "Writes well.", version: 2 });
    await put({ ...body, description: "Newer." });
    const rows = await at.database.read<{ version: number }>(
      "select (config->'agent'->>'version')::int as version from baton.task_execution_step where config->'agent'->>'name' = 'clerk'",
    );
    expect(rows).toEqual([{ version: 2 }]);
  });

  it("is listed beside the files, deleted, and created again under a newer version", async () => {
    const list = async () =>
      (await (await at.call("GET", "/api/v1/agents")).json()) as {
        agents: { name: string; origin: string }[];
        problems: string[];
      };
    const of = async (name: string) => (await list()).agents.find((each) => each.name === name)?.origin;
    expect([await of("clerk"), await of("reader")]).toEqual(["api", "file"]);
    expect((await list()).problems.join()).toContain("broken.md:3");
    expect((await at.call("DELETE", url)).status).toBe(204);
    expect((await at.call("DELETE", url)).status).toBe(404);
    expect(await of("clerk")).toBe("file");
    expect((await at.call("GET", `${url}?version=1`)).status).toBe(200);
    expect((await put(body, { "if-none-match": "*" })).headers.get("etag")).toBe('"4"');
  });

  it("is refused with the fields that are wrong", async () => {
    const bad = await put({ ...body, limits: { turns: 0 }, colour: "red" });
    expect(bad.status).toBe(400);
    const { errors } = (await bad.json()) as { errors: { pointer: string }[] };
    expect(errors.map(({ pointer }) => pointer).toSorted()).toEqual(["/colour", "/limits/turns"]);
    expect((await put(body, {}, "/api/v1/agents/No%20Name")).status).toBe(404);
  });
});
