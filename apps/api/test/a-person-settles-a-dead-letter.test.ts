import { problem } from "@baton/contracts";
import { defaultTenantId } from "@baton/core";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { claim, completed, settle } from "./claims.ts";
import { createInstallation, newId } from "./installation.ts";
import type { Installation } from "./installation.ts";

let at: Installation;
beforeAll(async () => {
  at = await createInstallation(inject("postgresUrl"));
  await at.store.openSession({
    pools: ["default", "interactive"],
    slots: 10,
    tools: [],
    version: "test",
    role: "worker",
    beatMs: 1_000,
    leaseMs: 30_000,
  });
});
afterAll(() => at?.close());

const tool = { type: "tool", tool: "clock.now" } as const;
const path = (id: string, verb = "") => `/api/v1/dead-letters/${id}${verb}`;

/** A task whose first step is out of attempts. */
async function failed(plan: object = { steps: [{ id: "a", ...tool }] }, error = {}) {
  const { id: taskId } = await at.client.createTask({ plan: plan as never });
  return { taskId, id: await fail(taskId, error) };
}

async function fail(taskId: string, error = {}): Promise<string> {
  const step = await claim(at, taskId);
  const outcome = {
    outcome: "exhausted" as const,
    error: { code: "tool-failed", message: "no", causes: [], ...error },
  };
  await settle(at, step, outcome);
  return step.ref.stepId;
}

async function statesOf(taskId: string): Promise<Record<string, string>> {
  const states: Record<string, string> = {};
  for await (const { key, state } of at.client.steps(taskId)) states[key] = state;
  return states;
}

describe("an output given by a person", () => {
  const when = { $cel: "steps.b.output.total > steps.a.output.limit" };
  const plan = {
    steps: [
      { id: "a", ...tool },
      { id: "b", ...tool, depends_on: ["a"] },
      { id: "large", ...tool, depends_on: [{ step: "b", when }] },
      { id: "small", ...tool, depends_on: [{ step: "b", when: { $cel: `!(${when.$cel})` } }] },
    ],
  };
  const branching = async () => {
    const { id: taskId } = await at.client.createTask({ plan: plan as never });
    await settle(at, await claim(at, taskId), completed({ limit: 10 }));
    return { taskId, id: await fail(taskId) };
  };

  it.each([
    [11, { large: "ready", small: "skipped" }],
    [10, { large: "skipped", small: "ready" }],
  ])("of %i decides the conditions as a worker's would", async (total, states) => {
    const { taskId, id } = await branching();
    await at.client.resolveDeadLetter(id, { output: { total }, reason: "counted by hand" });
    expect(await statesOf(taskId)).toEqual({ a: "completed", b: "completed", ...states });
  });

  it("that a condition cannot judge is refused, naming the condition, and nothing is written", async () => {
    const { taskId, id } = await branching();
    const before = await at.database.rowCounts();
    const answer = await at.call("POST", path(id, "/resolve"), { body: { output: {}, reason: "r" } });
    const { code, detail } = problem.parse(await answer.json());
    expect([answer.status, code]).toEqual([422, "invalid-expression"]);
    expect(detail).toContain("steps.b.output.total");
    expect(await at.database.rowCounts()).toEqual(before);
    expect(await statesOf(taskId)).toMatchObject({ b: "failed", large: "pending" });
  });

  it("of more than 1 MB is kept, of more than 32 MB refused", async () => {
    const { taskId, id } = await failed();
    const tooLarge = await at.call("POST", path(id, "/resolve"), {
      body: { output: "x".repeat(33_554_432), reason: "r" },
    });
    expect([tooLarge.status, problem.parse(await tooLarge.json()).code]).toEqual([413, "payload-too-large"]);
    const output = "y".repeat(2_000_000);
    await at.client.resolveDeadLetter(id, { output, reason: "large" });
    expect((await at.client.getTask(taskId)).result).toBe(output);
  });

  it("may be null", async () => {
    const { taskId, id } = await failed();
    await at.client.resolveDeadLetter(id, { output: null, reason: "there is none" });
    expect((await at.client.getTask(taskId)).state).toBe("completed");
  });

  it("completes a step whose own expressions cannot be evaluated", async () => {
    const steps = [
      { id: "a", ...tool },
      {
        id: "b",
        type: "tool",
        tool: "text.search",
        arguments: { text: { $cel: "steps.a.output.gone" } },
        depends_on: ["a"],
      },
    ];
    const { id: taskId } = await at.client.createTask({ plan: { steps } as never });
    await settle(at, await claim(at, taskId), completed({ here: 1 }));
    const id = await fail(taskId, { code: "invalid-expression" });
    expect(await at.client.getDeadLetter(id)).toMatchObject({
      config: { arguments: { text: { $cel: "steps.a.output.gone" } } },
      unevaluated: [{ pointer: "/arguments/text" }],
    });
    expect(await at.client.resolveDeadLetter(id, { output: [], reason: "r" })).toMatchObject({ changed: true });
  });
});

describe("a resolution", () => {
  it("leaves who and why in the traces, and the same again changes nothing", async () => {
    const { taskId, id } = await failed();
    const body = { skip: true, reason: "no longer needed" } as const;
    expect(await at.client.resolveDeadLetter(id, body)).toEqual({
      id,
      taskId,
      state: "skipped",
      taskState: "completed",
      changed: true,
    });
    expect(await at.client.resolveDeadLetter(id, body)).toMatchObject({ changed: false });
    const traces = [];
    for await (const trace of at.client.traces(taskId)) traces.push(trace);
    const [key] = await at.store.listApiKeys(defaultTenantId);
    expect(traces.filter(({ type }) => type === "step-resolved")).toMatchObject([
      { stepId: id, data: { state: "skipped", by: key?.keyId, reason: "no longer needed" } },
    ]);
    const other = await at.call("POST", path(id, "/resolve"), { body: { output: 1, reason: "r" } });
    expect([other.status, problem.parse(await other.json()).code]).toEqual([409, "illegal-transition"]);
  });

  it("is answered once under an Idempotency-Key, however often it is sent", async () => {
    const { taskId, id } = await failed();
    const headers = { "idempotency-key": newId() };
    const send = (output: unknown) => at.call("POST", path(id, "/resolve"), { headers, body: { output, reason: "r" } });
    const answers = [await send(1), await send(1)];
    expect(await Promise.all(answers.map((answer) => answer.json()))).toEqual([
      expect.objectContaining({ changed: true }),
      expect.objectContaining({ changed: true }),
    ]);
    expect(answers[1]?.headers.get("idempotency-replayed")).toBe("true");
    expect((await send(2)).status).toBe(422);
    expect((await at.client.getTask(taskId)).result).toBe(1);
  });

  it("of a plan step is refused with the reason, of an evaluation only an output is", async () => {
    const { id: taskId } = await at.client.createTask({ goal: "list every file" });
    const [plan] = await at.store.listTaskSteps({ tenantId: defaultTenantId, taskId }, { limit: 1 });
    const id = plan?.stepId ?? "";
    const attempt = await claim(at, taskId);
    await settle(at, attempt, {
      outcome: "exhausted",
      error: { code: "planning-failed", message: "no plan", causes: [] },
    });
    for (const [body, pointer] of [
      [{ output: {}, reason: "r" }, "/output"],
      [{ skip: true, reason: "r" }, "/skip"],
    ] as const) {
      const answer = await at.call("POST", path(id, "/resolve"), { body });
      const { code, detail, errors } = problem.parse(await answer.json());
      expect([answer.status, code, errors[0]?.pointer]).toEqual([409, "illegal-transition", pointer]);
      expect(detail).toContain("retry it, or cancel its task");
    }
    expect(await at.client.getDeadLetter(id)).toMatchObject({ actions: ["retry"] });
    expect(await at.client.request("retryDeadLetter", { params: { id } })).toMatchObject({ taskState: "planning" });
  });
});

describe("the list", () => {
  it("pages through causes, and through the letters of one, each once", async () => {
    const since = new Date().toISOString();
    const ids: string[] = [];
    for (let n = 0; n < 8; n++)
      ids.unshift((await failed(undefined, { code: "paged", message: `call ${n} failed` })).id);
    await failed(undefined, { code: "paged", message: "another cause" });
    const pages = [];
    for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
      const page = await at.client.request("listDeadLetters", { query: { code: "paged", since, limit: 1, cursor } });
      pages.push(...page.groups);
      cursor = page.nextCursor ?? undefined;
      expect(page.total).toBe(9);
    }
    expect(pages.map(({ message, count }) => [message, count])).toEqual([
      ["another cause", 1],
      ["call <n> failed", 8],
    ]);
    const [, group] = pages;
    expect(group?.letters).toHaveLength(5);
    const more = await at.client.request("listDeadLetters", {
      query: { code: "paged", since, group: group?.id ?? "", cursor: group?.nextCursor ?? undefined },
    });
    expect([...(group?.letters ?? []), ...(more.groups[0]?.letters ?? [])].map(({ id }) => id)).toEqual(ids);
    expect(more.groups[0]?.nextCursor).toBeNull();
    const foreign = await at.call("GET", `/api/v1/dead-letters?group=${group?.id}&cursor=${group?.nextCursor}`);
    expect(problem.parse(await foreign.json()).code).toBe("invalid-cursor");
    expect((await at.client.request("listDeadLetters", { query: { since: "2100-01-01T00:00:00Z" } })).total).toBe(0);
    const all = [];
    for await (const { id } of at.client.deadLetters({ code: "paged" })) all.push(id);
    expect(all).toEqual(pages.map(({ id }) => id));
  });

  it("shows one with its attempts, and with its inputs as they were", async () => {
    const steps = [
      { id: "a", ...tool },
      {
        id: "b",
        type: "tool",
        tool: "text.search",
        arguments: { text: { $cel: "steps.a.output.text" }, query: "x" },
        depends_on: ["a"],
      },
    ];
    const { id: taskId } = await at.client.createTask({ plan: { steps } as never });
    await settle(at, await claim(at, taskId), completed({ text: "t".repeat(70_000) }));
    const id = await fail(taskId, { causes: [{ name: "Error", message: "the root" }] });
    await at.client.request("retryDeadLetter", { params: { id } });
    await fail(taskId, { message: "again" });
    const letter = await at.client.getDeadLetter(id);
    expect(letter.attempts).toMatchObject([
      { attemptNo: 1, end: "failed", error: { message: "no", causes: [{ message: "the root" }] } },
      { attemptNo: 2, end: "failed", error: { message: "again" } },
    ]);
    expect(letter.unevaluated).toMatchObject([
      { pointer: "/arguments/text", reason: expect.stringContaining("70002 bytes") },
    ]);
    expect(letter.config).toMatchObject({ tool: "text.search", arguments: { query: "x" } });
    const { waits } = await at.client.request("whyTask", { params: { id: taskId } });
    expect(waits[0]).toMatchObject({
      stepId: id,
      actions: ["retry", "complete", "skip"],
      movedBy: expect.stringContaining(path(id, "/retry")),
    });
  });
});

describe("a bulk retry", () => {
  it("narrows by all that it is given", async () => {
    const [one, two] = [await failed(undefined, { code: "bulk" }), await failed(undefined, { code: "bulk" })];
    const retry = (body: Parameters<Installation["client"]["retryDeadLetters"]>[0]) => at.client.retryDeadLetters(body);
    expect(await retry({ code: "bulk", taskId: newId() })).toEqual({ retriedSteps: 0, retriedTasks: 0 });
    expect(await retry({ ids: [one.id, newId()] })).toEqual({ retriedSteps: 1, retriedTasks: 1 });
    expect(await retry({ code: "bulk", reason: "again" })).toEqual({ retriedSteps: 1, retriedTasks: 1 });
    for (const { taskId } of [one, two]) expect((await at.client.getTask(taskId)).state).not.toBe("failed");
    expect((await at.call("GET", path(one.id))).status).toBe(404);
  });
});

describe("what is refused", () => {
  it.each([
    ["a resolution without a word", "/resolve", { reason: "r" }, "/output"],
    ["both words at once", "/resolve", { output: 1, skip: true, reason: "r" }, "/skip"],
    ["a skip that is false", "/resolve", { skip: false, reason: "r" }, "/skip"],
    ["no reason", "/resolve", { output: 1 }, "/reason"],
    ["an empty reason", "/resolve", { output: 1, reason: "" }, "/reason"],
    ["an unknown field", "/resolve", { output: 1, reason: "r", force: true }, "/force"],
    ["an output with NUL", "/resolve", '{"output":"a\\u0000","reason":"r"}', "/output"],
    ["a reason that is too long", "/retry", { reason: "x".repeat(2_001) }, "/reason"],
  ])("%s names its field and writes nothing", async (_what, verb, body, pointer) => {
    const { taskId, id } = await failed();
    const before = await at.database.rowCounts();
    const answer = await at.call("POST", path(id, verb), { body });
    expect([answer.status, problem.parse(await answer.json()).errors.map((each) => each.pointer)]).toEqual([
      400,
      [pointer],
    ]);
    expect(await at.database.rowCounts()).toEqual(before);
    expect(await statesOf(taskId)).toEqual({ a: "failed" });
  });

  it.each([
    ["no filter", {}, ""],
    ["an id that is none", { ids: ["x"] }, "/ids/0"],
    ["no id at all", { ids: [] }, "/ids"],
    ["a group that is none", { group: "x" }, "/group"],
  ])("a bulk retry with %s", async (_what, body, pointer) => {
    const answer = await at.call("POST", path("retry"), { body });
    expect([answer.status, problem.parse(await answer.json()).errors.map((each) => each.pointer)]).toEqual([
      400,
      [pointer],
    ]);
  });

  it.each(["since=yesterday", "taskId=1", "group=1", "limit=0", "limit=201", "colour=red", "code="])(
    "a list with ?%s",
    async (query) => {
      const answer = await at.call("GET", `/api/v1/dead-letters?${query}`);
      expect([answer.status, problem.parse(await answer.json()).errors[0]?.pointer]).toEqual([
        400,
        `/${query.split("=")[0]}`,
      ]);
    },
  );

  it("what another tenant owns, and what does not exist", async () => {
    const { taskId, id } = await failed();
    const stranger = newId();
    await at.database.addTenant(stranger);
    const key = await at.addKey(["admin"], stranger);
    for (const [as, of] of [
      [key, id],
      [at.key, newId()],
      [at.key, "no-uuid"],
    ] as const) {
      const answers = [
        await at.call("GET", path(of), { key: as }),
        await at.call("POST", path(of, "/retry"), { key: as }),
        await at.call("POST", path(of, "/resolve"), { key: as, body: { skip: true, reason: "r" } }),
      ];
      expect(answers.map(({ status }) => status)).toEqual([404, 404, 404]);
    }
    const bulk = await at.call("POST", path("retry"), { key, body: { ids: [id] } });
    expect(await bulk.json()).toEqual({ retriedSteps: 0, retriedTasks: 0 });
    expect(await (await at.call("GET", "/api/v1/dead-letters", { key })).json()).toMatchObject({
      total: 0,
      groups: [],
    });
    expect(await statesOf(taskId)).toEqual({ a: "failed" });
  });

  it("a step that goes on already is not retried twice, and one that has ended is not retried", async () => {
    const { id } = await failed();
    const retry = () => at.client.request("retryDeadLetter", { params: { id }, body: { reason: "r" } });
    expect([(await retry()).changed, (await retry()).changed]).toEqual([true, false]);
    const { id: done } = await failed();
    await at.client.resolveDeadLetter(done, { skip: true, reason: "r" });
    const refused = await at.call("POST", path(done, "/retry"));
    expect([refused.status, problem.parse(await refused.json()).detail]).toEqual([
      409,
      expect.stringContaining("is skipped; only a dead letter can be retried"),
    ]);
  });
});
