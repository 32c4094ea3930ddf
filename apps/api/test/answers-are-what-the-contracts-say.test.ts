import { readFileSync } from "node:fs";
import { problem, routes } from "@baton/contracts";
import type { OperationId, RouteShape } from "@baton/contracts";
import { defaultTenantId } from "@baton/core";
import type { ClaimedStep, WakeUp } from "@baton/core/ports";
import type { NewQuestion } from "@baton/core/questions";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { claim, wakeUpOf } from "./claims.ts";
import { createInstallation, newId } from "./installation.ts";
import type { Installation } from "./installation.ts";

let at: Installation;
beforeAll(async () => {
  at = await createInstallation(inject("postgresUrl"), { planWaitMs: 50 });
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

const answered = new Set<OperationId>();

/** Calls a route and holds its answer against the route table. */
async function ask(
  id: OperationId,
  given: { params?: Record<string, string>; query?: string; body?: unknown; headers?: Record<string, string> } = {},
) {
  const route: RouteShape = routes[id];
  const path = route.path.replaceAll(/\{(\w+)\}/g, (_all, name: string) => given.params?.[name] ?? "");
  const response = await at.call(route.method, `${path}${given.query ?? ""}`, given);
  const answer = route.answers.find(({ status, schema }) => status === response.status && schema !== undefined);
  const text = await response.text();
  if (response.headers.get("content-type")?.startsWith("application/problem+json")) throw new Error(`${id}: ${text}`);
  expect(
    route.answers.map(({ status }) => status),
    `${id}: ${text}`,
  ).toContain(response.status);
  answered.add(id);
  if (answer?.schema === undefined || !response.headers.get("content-type")?.startsWith("application/json"))
    return text as never;
  const value = JSON.parse(text) as unknown;
  expect(answer.schema.safeParse(value).error, `${id}: ${text}`).toBeUndefined();
  // biome-ignore lint/suspicious/noExplicitAny: what each test reads of it was just checked
  return value as any;
}

async function perform(wakeUp: WakeUp, output: unknown): Promise<void> {
  let step: ClaimedStep | undefined = await at.store.claimStep(wakeUp);
  while (step !== undefined) {
    const outcome = { outcome: "completed" as const, outputJson: JSON.stringify(output), deadEdges: [] };
    step = (
      await at.store.settleAttempt({ ref: step.ref, attemptNo: step.attemptNo, outcome, traces: [], mayContinue: true })
    ).continuation;
  }
}

const plan = {
  steps: [
    { id: "a", type: "tool", tool: "clock.now" },
    { id: "b", type: "llm", prompt: "x", depends_on: ["a"] },
  ],
  result: { $cel: "steps.b.output.text" },
};

describe("a task over HTTP", () => {
  it("is created from a plan, read back in every view, and ends with its result", async () => {
    const { id } = await ask("createTask", {
      body: { plan, goal: "two steps", input: { n: 1 }, threadId: "a thread" },
    });
    expect(await ask("getTask", { params: { id } })).toMatchObject({
      kind: "plan",
      goal: "two steps",
      input: { n: 1 },
      totalSteps: 2,
      progress: 0,
      state: "pending",
    });
    expect((await ask("whyTask", { params: { id } })).waits.length).toBeGreaterThan(0);
    const { steps } = await ask("listTaskSteps", { params: { id } });
    expect(steps.map(({ key, dependsOn }: { key: string; dependsOn: string[] }) => [key, dependsOn])).toEqual([
      ["a", []],
      ["b", ["a"]],
    ]);

    await perform(await wakeUpOf(at, id), { text: "the end" });
    expect(await ask("getTask", { params: { id } })).toMatchObject({
      state: "completed",
      progress: 100,
      result: "the end",
      settledSteps: 2,
    });
    expect(await ask("whyTask", { params: { id } })).toEqual({ state: "completed", waits: [] });
    expect((await ask("listTaskSteps", { params: { id } })).steps[1]).toMatchObject({
      state: "completed",
      output: { text: "the end" },
    });
    const { traces } = await ask("listTaskTraces", { params: { id }, query: "?limit=200" });
    expect(traces.map(({ no }: { no: number }) => no)).toEqual(traces.map((_: unknown, index: number) => index + 1));
    expect(await ask("listTaskTraces", { params: { id }, query: "?limit=2&after=1" })).toMatchObject({
      traces: [{ no: 2 }, { no: 3 }],
      nextAfter: 3,
    });
    await ask("listCheckpoints", { params: { id } });
  });

  it("pages steps and tasks by cursor: every one once, in order", async () => {
    const steps = Array.from({ length: 7 }, (_, index) => ({ id: `s${index}`, type: "tool", tool: "clock.now" }));
    const ids: string[] = [];
    for (let n = 0; n < 5; n++)
      ids.unshift((await ask("createTask", { body: { plan: { steps }, threadId: "paging" } })).id);
    const keys: string[] = [];
    for (let query = "?limit=3"; query !== ""; ) {
      const page = await ask("listTaskSteps", { params: { id: ids[0] as string }, query });
      keys.push(...page.steps.map(({ key }: { key: string }) => key));
      query = page.nextCursor === null ? "" : `?limit=3&cursor=${page.nextCursor}`;
    }
    expect(keys).toEqual(steps.map(({ id }) => id));
    const found: string[] = [];
    for (let query = "?limit=2&threadId=paging"; query !== ""; ) {
      const page = await ask("listTasks", { query });
      found.push(...page.tasks.map(({ id }: { id: string }) => id));
      query = page.nextCursor === null ? "" : `?limit=2&threadId=paging&cursor=${page.nextCursor}`;
    }
    expect(found).toEqual([...ids].sort().reverse());
    const { nextCursor } = await ask("listTasks", { query: "?limit=2&threadId=paging" });
    const other = await at.call("GET", `/api/v1/tasks?limit=2&threadId=other&cursor=${nextCursor}`);
    expect(problem.parse(await other.json()).code).toBe("invalid-cursor");
    expect((await ask("listTasks", { query: "?state=completed,failed&kind=goal" })).tasks).toEqual([]);
  });

  it("obeys pause, resume, cancel, and says 409 where the state does not allow it", async () => {
    const { id } = await ask("createTask", { body: { plan } });
    expect(await ask("pauseTask", { params: { id }, body: { reason: "lunch" } })).toEqual({
      id,
      state: "paused",
      changed: true,
    });
    expect(await ask("pauseTask", { params: { id }, body: {} })).toMatchObject({ changed: false });
    expect(await ask("resumeTask", { params: { id }, body: { reason: "back" } })).toMatchObject({ changed: true });
    expect(await ask("cancelTask", { params: { id }, body: { reason: "enough" } })).toEqual({
      id,
      state: "cancelled",
      changed: true,
    });
    const { traces } = await ask("listTaskTraces", { params: { id } });
    const reasons = traces.flatMap(({ data }: { data: { reason?: string } }) => data.reason ?? []);
    expect(reasons).toEqual(["created", "lunch", "back", "enough"]);
    const refused = await at.call("POST", `/api/v1/tasks/${id}/resume`);
    expect({ status: refused.status, code: problem.parse(await refused.json()).code }).toEqual({
      status: 409,
      code: "illegal-transition",
    });
  });

  it("that failed is retried", async () => {
    const { id } = await ask("createTask", { body: { plan: { steps: [plan.steps[0]] } } });
    const step = await claim(at, id);
    const error = { code: "tool-failed", message: "no", causes: [] };
    await at.store.settleAttempt({
      ref: step.ref,
      attemptNo: step.attemptNo,
      outcome: { outcome: "exhausted", error },
      traces: [],
      mayContinue: false,
    });
    expect(await ask("getTask", { params: { id } })).toMatchObject({
      state: "failed",
      lastError: { code: "tool-failed" },
    });
    expect((await ask("retryTask", { params: { id } })).changed).toBe(true);
  });

  it("whose step is out of attempts shows a dead letter, that is retried alone or with others, and resolved", async () => {
    const { id } = await ask("createTask", { body: { plan: { steps: [plan.steps[0]] }, goal: "a letter" } });
    const fail = async (message: string) => {
      const step = await claim(at, id);
      const error = { code: "tool-failed", message, causes: [{ name: "Error", message: "deep down" }] };
      const outcome = { outcome: "exhausted" as const, error };
      await at.store.settleAttempt({
        ref: step.ref,
        attemptNo: step.attemptNo,
        outcome,
        traces: [],
        mayContinue: false,
      });
      return step.ref.stepId;
    };
    const letterId = await fail("it broke 12 times");
    const { groups, total } = await ask("listDeadLetters", { query: `?taskId=${id}` });
    expect(total).toBe(1);
    expect(groups).toMatchObject([
      {
        code: "tool-failed",
        message: "it broke <n> times",
        tool: "clock.now",
        count: 1,
        letters: [
          { id: letterId, task: { id, goal: "a letter", state: "failed" }, actions: ["retry", "complete", "skip"] },
        ],
      },
    ]);
    expect(await ask("getDeadLetter", { params: { id: letterId } })).toMatchObject({
      attempts: [{ attemptNo: 1, end: "failed", error: { causes: [{ message: "deep down" }] } }],
      config: { tool: "clock.now" },
    });
    expect(await ask("retryDeadLetter", { params: { id: letterId }, body: { reason: "again" } })).toMatchObject({
      taskId: id,
      changed: true,
    });
    await fail("it broke 13 times");
    expect(await ask("retryDeadLetters", { body: { group: groups[0].id, reason: "all" } })).toEqual({
      retriedSteps: 1,
      retriedTasks: 1,
    });
    await fail("it broke 14 times");
    expect(
      await ask("resolveDeadLetter", { params: { id: letterId }, body: { output: { iso: "now" }, reason: "by hand" } }),
    ).toEqual({ id: letterId, taskId: id, state: "completed", taskState: "completed", changed: true });
    expect((await ask("getTask", { params: { id } })).result).toEqual({ iso: "now" });
  });

  it("shows its calls to the outside, and takes a person's word about one in doubt", async () => {
    const { id } = await ask("createTask", { body: { plan: { steps: [plan.steps[0]] } } });
    const { ref, attemptNo } = await claim(at, id);
    const call = { ref, attemptNo, callNo: 1, tool: "clock.now", effect: "write", argumentsJson: "{}" } as const;
    await at.store.startEffect(call);
    const error = { code: "effect-unknown", message: "?", causes: [] };
    const outcome = { outcome: "held", error } as const;
    await at.store.settleAttempt({ ref, attemptNo, outcome, traces: [], mayContinue: false });
    expect(await ask("whyTask", { params: { id } })).toMatchObject({
      state: "blocked",
      waits: [{ on: "person", actions: ["resolve-call", "retry", "complete", "skip"] }],
    });
    const { stepId } = ref;
    expect(await ask("listEffects", { params: { id } })).toMatchObject({
      effects: [{ stepId, callNo: 1, state: "intent", inDoubt: true, arguments: {}, idempotencyKey: `${stepId}-1` }],
    });
    const body = { outcome: "succeeded", result: { iso: "then" }, attemptNo: 1, reason: "seen" };
    expect(await ask("resolveEffect", { params: { id, stepId, callNo: "1" }, body })).toEqual({
      taskId: id,
      stepId,
      callNo: 1,
      state: "succeeded",
      stepState: "ready",
      taskState: "running",
      changed: true,
    });
  });

  it("shows what its steps ask people, and takes a person's word", async () => {
    const asking = async (
      questions: readonly Omit<NewQuestion, "questionId" | "approvers" | "quorum">[],
      more = {},
    ) => {
      const { id } = await ask("createTask", { body: { plan: { steps: [plan.steps[0]] } } });
      const { ref, attemptNo } = await claim(at, id);
      const outcome = {
        outcome: "asked" as const,
        questions: questions.map((each) => ({ questionId: newId(), approvers: [], quorum: 1, ...each, ...more })),
      };
      await at.store.settleAttempt({ ref, attemptNo, outcome, traces: [], mayContinue: false });
      return { id, stepId: ref.stepId, ids: outcome.questions.map(({ questionId }) => questionId) };
    };
    const subject = { tool: "mail.send", effect: "irreversible", arguments: { to: "all" } } as const;
    const question = { callNo: 1, kind: "question", subject: { text: "Which?", options: ["a"] } } as const;
    const approval = { callNo: 2, kind: "approval", subject } as const;
    const { id, stepId, ids } = await asking([question, approval]);
    const [first = "", second = ""] = ids;
    expect(await ask("getTask", { params: { id } })).toMatchObject({ state: "waiting" });
    const { questions } = await ask("listQuestions", { query: `?taskId=${id}&state=open&limit=1` });
    expect(questions).toHaveLength(1);
    expect(await ask("getQuestion", { params: { id: second } })).toMatchObject({
      stepKey: "a",
      arguments: { to: "all" },
      quorum: 1,
    });
    expect(await ask("answerQuestion", { params: { id: first }, body: { answer: "b" } })).toMatchObject({
      ...{ id: first, taskId: id, stepId, state: "answered", changed: true },
      ...{ stepState: "waiting", taskState: "waiting" },
    });
    expect(await ask("approveCall", { params: { id: second } })).toMatchObject({
      state: "approved",
      stepState: "ready",
      votes: 1,
    });
    expect(await ask("approveCall", { params: { id: second } })).toMatchObject({ changed: false });
    const third = (await asking([approval])).ids[0] ?? "";
    expect(await ask("rejectCall", { params: { id: third }, body: { reason: "no" } })).toMatchObject({
      state: "rejected",
    });
    const refused = await at.call("POST", `/api/v1/questions/${third}/approve`, { body: {} });
    expect([refused.status, await refused.json()]).toMatchObject([
      409,
      { code: "illegal-transition", detail: expect.stringContaining("rejected already") },
    ]);
    const fourth = (await asking([approval], { approvers: ["somebody else"] })).ids[0] ?? "";
    const forbidden = await at.call("POST", `/api/v1/questions/${fourth}/approve`, { body: {} });
    expect([forbidden.status, await forbidden.json()]).toMatchObject([403, { code: "forbidden" }]);
    const unknown = await at.call("POST", `/api/v1/questions/${newId()}/approve`, { body: {} });
    expect(unknown.status).toBe(404);
  });

  it("has a budget that a person reads and changes, and that says why it holds a step", async () => {
    const budget = { tokens: 500, onBreach: "ask" };
    const { id } = await ask("createTask", {
      body: { plan: { steps: [{ id: "b", type: "llm", prompt: "x" }] }, settings: { budget } },
    });
    const { ref, attemptNo, task } = await claim(at, id);
    const reserve = () =>
      at.store.reserveCall({
        ...{
          kind: "model",
          ref,
          rootTaskId: id,
          attemptNo,
          caps: { tokens: 500 },
          createdAt: task.createdAt,
          offline: false,
        },
        ...{ model: { provider: "p", model: "m" }, inputTokens: 100, least: 50, most: 50, price: null },
      });
    const reserved = await reserve();
    if ("refusal" in reserved) throw new Error("It fits.");
    expect(await ask("getTaskBudget", { params: { id } })).toMatchObject({
      taskId: id,
      caps: { tokens: 500 },
      settled: { tokens: 0 },
      reserved: { tokens: 150, modelCalls: 1 },
    });
    const refusal = async (body: unknown) => {
      const response = await at.call("PATCH", `/api/v1/tasks/${id}/budget`, { body });
      const { code, errors } = problem.parse(await response.json());
      return [response.status, code, errors?.[0]?.pointer];
    };
    expect(await refusal({ tokens: 149 })).toEqual([409, "illegal-transition", "/tokens"]);
    expect(await refusal({ toolCalls: 5 })).toEqual([409, "illegal-transition", "/toolCalls"]);
    expect(await refusal({ tokens: -1 })).toEqual([400, "invalid-request", "/tokens"]);
    expect(await refusal({ token: 1 })).toEqual([400, "invalid-request", "/token"]);
    const spent = { inputTokens: 100, outputTokens: 20, costUsd: null, estimated: true };
    await at.store.settleCall({ tenantId: ref.tenantId, reservationId: reserved.reservationId, outcome: { spent } });
    const error = { code: "budget-exceeded", message: "The task's budget allows 500 tokens.", causes: [] };
    await at.store.settleAttempt({
      ref,
      attemptNo,
      outcome: { outcome: "held", error },
      traces: [],
      mayContinue: false,
    });
    expect(await ask("whyTask", { params: { id } })).toMatchObject({
      state: "blocked",
      waits: [
        { on: "budget", detail: error.message, movedBy: expect.stringContaining(`PATCH /api/v1/tasks/${id}/budget`) },
      ],
    });
    expect(await ask("changeTaskBudget", { params: { id }, body: { tokens: 5_000, reason: "worth it" } })).toEqual({
      taskId: id,
      state: "running",
      changed: true,
    });
    expect(await ask("getTaskBudget", { params: { id } })).toMatchObject({
      caps: { tokens: 5_000 },
      settled: { tokens: 120 },
    });
    for (const group of ["day", "model", "task"])
      expect(await ask("getUsage", { query: `?group_by=${group}` })).toMatchObject({
        groupBy: group,
        total: { calls: 1, estimatedCalls: 1, unpricedCalls: 1, inputTokens: 100 },
        rows: [{ calls: 1 }],
      });
  });

  it("that failed returns what it has, and names what is missing and why", async () => {
    const steps = [
      { id: "a", type: "tool", tool: "clock.now" },
      { id: "b", type: "tool", tool: "clock.now" },
      { id: "c", type: "tool", tool: "clock.now", depends_on: ["b"] },
    ];
    const { id } = await ask("createTask", { body: { plan: { steps } } });
    const task = { tenantId: defaultTenantId, taskId: id };
    const [first, second] = await Promise.all(
      (await at.store.listTaskSteps(task, { limit: 2 })).map(
        async ({ stepId }) => (await at.store.claimStep({ ...task, stepId, dispatchNo: 1 })) as ClaimedStep,
      ),
    );
    if (first === undefined || second === undefined) throw new Error("Both may be claimed.");
    const outcome = { outcome: "completed" as const, outputJson: '{"made":1}', deadEdges: [] };
    await at.store.settleAttempt({ ref: first.ref, attemptNo: 1, outcome, traces: [], mayContinue: false });
    const error = { code: "deadline-exceeded", message: "too slow", causes: [] };
    await at.store.settleAttempt({
      ref: second.ref,
      attemptNo: 1,
      outcome: { outcome: "exhausted", error },
      traces: [],
      mayContinue: false,
    });
    const shown = await ask("getTask", { params: { id } });
    expect(shown).toMatchObject({
      state: "failed",
      partial: {
        outputs: [{ key: "a", output: { made: 1 } }],
        missing: [
          { key: "b", state: "failed", why: "deadline-exceeded: too slow" },
          { key: "c", state: "pending", why: "not begun: it needs b" },
        ],
        missingSteps: 2,
      },
    });
    expect(shown.result).toBeUndefined();
  });

  it("keeps agents in versions", async () => {
    const body = { description: "Writes.", instructions: "Write." };
    await ask("putAgent", { params: { name: "clerk" }, body });
    await ask("putAgent", { params: { name: "clerk" }, body: { ...body, description: "Writes well." } });
    expect(await ask("getAgent", { params: { name: "clerk" }, query: "?version=1" })).toMatchObject({ version: 1 });
    expect((await ask("listAgents", {})).agents).toMatchObject([{ name: "clerk", version: 2 }]);
    await ask("deleteAgent", { params: { name: "clerk" } });
  });

  it("shows what its agents keep across tasks, and lets a person delete it", async () => {
    const { id } = await ask("createTask", { body: { plan: { steps: [plan.steps[0]] } } });
    const { ref } = await claim(at, id);
    for (const text of ["one", "two"])
      await at.store.storeNote(ref, { agent: "keeper", noteId: newId(), source: text, text });
    const { notes } = await ask("listAgentNotes", { params: { name: "keeper" }, query: "?limit=1" });
    expect(notes).toMatchObject([{ text: "two", taskId: id }]);
    await ask("deleteAgentNote", { params: { name: "keeper", id: notes[0].id } });
    expect((await ask("listAgentNotes", { params: { name: "keeper" } })).notes).toMatchObject([{ text: "one" }]);
    expect((await at.call("DELETE", `/api/v1/agents/keeper/notes/${newId()}`)).status).toBe(404);
  });

  it("hands out its artifacts as downloads that no browser runs", async () => {
    const { id } = await ask("createTask", { body: { plan: { steps: [plan.steps[0]] } } });
    const step = await claim(at, id);
    const content = new TextEncoder().encode("<script>alert(1)</script>");
    const saved = await at.store.saveArtifact(step.ref, { name: "ü/re port.html", mediaType: "text/html", content });
    const { artifacts } = await ask("listArtifacts", { params: { id } });
    expect(artifacts).toMatchObject([{ id: saved.artifactId, mediaType: "text/html", sizeBytes: content.byteLength }]);
    const download = await at.call("GET", `/api/v1/tasks/${id}/artifacts/${saved.artifactId}`);
    expect(await download.text()).toBe("<script>alert(1)</script>");
    expect(download.headers.get("content-disposition")).toBe("attachment; filename*=UTF-8''re%20port.html");
    expect(download.headers.get("content-security-policy")).toContain("sandbox");
    await ask("downloadArtifact", { params: { id, artifactId: saved.artifactId } });
    const large = "x".repeat(100_000);
    const outcome = { outcome: "completed" as const, outputJson: JSON.stringify(large), deadEdges: [] };
    await at.store.settleAttempt({ ref: step.ref, attemptNo: step.attemptNo, outcome, traces: [], mayContinue: false });
    const [row] = (await ask("listTaskSteps", { params: { id } })).steps;
    expect(row.output).toBeUndefined();
    expect(await ask("getOutput", { params: { id, blobId: row.outputBlobId } })).toEqual({ output: large });
    expect((await ask("getTask", { params: { id } })).result).toBe(large);
  });

  it("gives back the context of a checkpoint", async () => {
    const { id } = await ask("createTask", {
      body: { plan: { steps: [plan.steps[0], { id: "c", type: "checkpoint", depends_on: ["a"] }] } },
    });
    const first = await claim(at, id);
    const outcome = { outcome: "completed" as const, outputJson: '{"now":1}', deadEdges: [] };
    const { continuation } = await at.store.settleAttempt({
      ref: first.ref,
      attemptNo: 1,
      outcome,
      traces: [],
      mayContinue: true,
    });
    const second = continuation as ClaimedStep;
    await at.store.saveCheckpoint(second.ref, second.attemptNo);
    const { checkpoints } = await ask("listCheckpoints", { params: { id } });
    expect(checkpoints).toHaveLength(1);
    const context = await ask("getCheckpoint", { params: { id, checkpointId: checkpoints[0].id } });
    expect(context.outputs).toMatchObject([{ key: "a", state: "completed", output: { now: 1 } }]);
  });
});

describe("orchestrate", () => {
  it.each([
    ["orchestrate", "orchestration", "cancelOrchestration"],
    ["chatOrchestrate", "chatOrchestration", "cancelChatOrchestration"],
  ] as const)("%s answers with the documented fields, before and after the plan", async (start, status, cancel) => {
    const started = await ask(start, { body: { goal: "list every file" } });
    expect(started).toMatchObject({
      status: "queued",
      strategy: { steps: [], totalSteps: 0 },
      estimatedDuration: null,
    });
    const { taskId } = started;
    expect(await ask(status, { query: `?taskId=${taskId}` })).toMatchObject({
      status: "planning",
      progress: 0,
      steps: [],
      goal: "list every file",
    });
    const planning = await claim(at, taskId);
    const step = (key: string, position: number, after: string[]) => ({
      stepId: newId(),
      key,
      kind: "user" as const,
      type: "tool" as const,
      description: `does ${key}`,
      config: { type: "tool", tool: "clock.now" },
      join: "all" as const,
      dependsOn: after.map((fromStepId) => ({ fromStepId })),
      references: [],
      rank: position,
      pool: "default",
      timeoutMs: 1_000,
      retry: {},
      onExhausted: "fail" as const,
    });
    const adds = Array.from({ length: 12 }, (_, index) => step(`s${index}`, 12 - index, []));
    const outcome = {
      outcome: "completed" as const,
      outputJson: "null",
      deadEdges: [],
      adds,
      estimatedDurationMs: 12_000,
    };
    await at.store.settleAttempt({
      ref: planning.ref,
      attemptNo: planning.attemptNo,
      outcome,
      traces: [],
      mayContinue: false,
    });
    const answer = await ask(status, { query: `?taskId=${taskId}` });
    expect(answer.steps.map(({ index }: { index: string }) => index)).toEqual(
      Array.from({ length: 12 }, (_, index) => String(index)),
    );
    expect(answer).toMatchObject({ totalSteps: 12, currentStep: 0, status: "queued" });
    expect(answer.steps[10]).toEqual({ index: "10", description: "does s10", status: "pending" });
    expect(answer.latestTraces.length).toBeLessThanOrEqual(10);
    expect(await ask(cancel, { query: `?taskId=${taskId}` })).toEqual({ taskId, status: "cancelled" });
    expect(await ask(status, { query: `?taskId=${taskId}` })).toMatchObject({ status: "cancelled" });
  });
});

it("MCP tools are listed as workers found them, and a changed one is accepted as it was looked at", async () => {
  const tool = (hash: string, description: string) => {
    const inputSchema = { type: "object" };
    return { name: "fetch", hash: hash.repeat(64), description, inputSchema, effect: "write" as const };
  };
  expect(await ask("listMcpServers")).toEqual({ servers: [{ name: "archive", tools: [] }] });
  await at.store.mcp.recordProblem("archive", "s", "it did not start");
  expect((await ask("listMcpServers")).servers).toMatchObject([{ problem: "it did not start" }]);
  const odd = { ...tool("c", ""), name: "o d d", inputSchema: {}, refusal: "its name is not made of letters" };
  await at.store.mcp.recordListing("archive", "s", [tool("a", "Fetches."), odd]);
  const [first, refused] = (await ask("listMcpServers")).servers[0].tools;
  expect(first).toMatchObject({ name: "archive.fetch", state: "accepted", acceptedBy: "first-use", effect: "write" });
  expect(refused).toMatchObject({ name: "archive.o d d", state: "refused" });
  expect(refused.acceptedBy).toBeUndefined();

  await at.store.mcp.recordListing("archive", "s", [tool("b", "Fetches and forwards.")]);
  const { servers } = await ask("listMcpServers");
  expect(servers[0].problem).toBeUndefined();
  expect(servers[0].tools).toMatchObject([
    { state: "changed", description: "Fetches and forwards.", accepted: { description: "Fetches." } },
    { state: "refused" },
  ]);
  const accept = (name: string, hash: string, key?: string) =>
    at.call("POST", `/api/v1/mcp/tools/${encodeURIComponent(name)}/accept`, { body: { hash }, ...(key && { key }) });
  expect((await accept("archive.fetch", "a".repeat(64))).status).toBe(409);
  expect((await accept("archive.o d d", "c".repeat(64))).status).toBe(409);
  expect((await accept("archive.nothing", "b".repeat(64))).status).toBe(404);
  expect((await accept("nowhere.fetch", "b".repeat(64))).status).toBe(404);
  expect((await accept("archive.fetch", "xyz")).status).toBe(400);
  expect((await accept("archive.fetch", "b".repeat(64), await at.addKey(["read", "write"]))).status).toBe(403);
  const stranger = newId();
  await at.database.addTenant(stranger);
  expect((await accept("archive.fetch", "b".repeat(64), await at.addKey(["admin"], stranger))).status).toBe(403);
  const body = { hash: "b".repeat(64) };
  const accepted = await ask("acceptMcpTool", { params: { name: "archive.fetch" }, body });
  expect(accepted).toMatchObject({ state: "accepted", description: "Fetches and forwards." });
  expect(accepted.acceptedBy).toMatch(/^[0-9a-f-]{36}$/);
  expect(await ask("acceptMcpTool", { params: { name: "archive.fetch" }, body })).toEqual(accepted);
  await at.store.mcp.recordListing("archive", "s", []);
  expect((await ask("listMcpServers")).servers[0].tools[0]).toMatchObject({ state: "gone" });
});

describe("the rest of the table", () => {
  it("answers as it says", async () => {
    expect((await ask("listTools")).tools.length).toBeGreaterThan(5);
    expect((await ask("listModels")).models).toMatchObject([{ provider: "offline", offline: true }]);
    const created = await ask("createKey", { body: { name: "one", scopes: ["read", "read"] } });
    expect(created.scopes).toEqual(["read"]);
    expect((await ask("listKeys")).keys.map(({ id }: { id: string }) => id)).toContain(created.id);
    expect((await at.call("GET", "/api/v1/tools", { key: created.key })).status).toBe(200);
    await ask("revokeKey", { params: { id: created.id } });
    expect((await at.call("GET", "/api/v1/tools", { key: created.key })).status).toBe(401);
    const params = { scope: "tenant-day" };
    expect(await ask("setTenantBudget", { params, body: { usd: 50, modelCalls: 1_000 } })).toMatchObject({
      scope: "tenant-day",
      caps: { usd: 50, modelCalls: 1_000 },
    });
    await ask("setTenantBudget", { params, body: {} });
    expect(await ask("getTenantBudget", { params })).toMatchObject({ caps: {} });
    expect((await at.call("GET", "/api/v1/budgets/year")).status).toBe(404);
    for (const id of ["health", "live", "ready", "metrics"] as const) await ask(id);
    expect((await ask("ready")).checks).toEqual({ store: "ok", workers: "serving", eventLoop: "ok" });
    await ask("resumeChat", { params: { id: "nowhere" } });
    await ask("chat", {
      body: { id: "t", message: { role: "user", parts: [{ type: "text", text: "read every file" }] } },
    });
    const thread = await ask("getThread", { params: { id: "t" } });
    expect(thread).toMatchObject({ id: "t", active: true, messages: [{ role: "user" }, { role: "assistant" }] });
    expect(thread.messages[1].parts.map(({ type }: { type: string }) => type)).toEqual(["text", "data-task"]);
    expect(thread.messages[1].parts[1].data).toMatchObject({ goal: "read every file", steps: [] });
    expect((await ask("stopChat", { params: { id: "t" } })).cancelled).toHaveLength(1);
    for (const [method, path] of [
      ["GET", "/api/chat/nowhere/messages"],
      ["POST", "/api/chat/nowhere/stop"],
    ] as const)
      expect((await at.call(method, path)).status).toBe(404);
  });

  it("evaluates decisions and plans, with their cost, and starts nothing", async () => {
    const tasks = async () => (await ask("listTasks", { query: "?limit=200" })).tasks.length;
    const before = await tasks();
    expect(await ask("evaluateDecision", { body: { message: "read every file" } })).toMatchObject({
      decision: { orchestrate: true, confidence: 1 },
      model: { provider: "offline", model: "offline-rules" },
      calls: { count: 0 },
      offline: true,
    });
    const goal = "Compare docs/a.md with docs/b.md";
    const planned = await ask("evaluatePlan", { body: { goal } });
    expect(planned).toMatchObject({ rejected: [], calls: { count: 1, estimated: true, costUsd: 0 }, offline: true });
    expect(planned.plan.steps.map(({ id }: { id: string }) => id)).toEqual(["read", "compare", "keep"]);
    const without = await ask("evaluatePlan", { body: { goal, tools: ["clock.now"] } });
    expect(without).toMatchObject({ error: { code: "offline-cannot-plan" } });
    expect(without.plan).toBeUndefined();
    expect(await tasks()).toBe(before);
  });

  it.each([
    ["plan", { goal: "g", tools: ["shell.exec"] }, 422, "unknown-tool"],
    ["plan", { goal: "g", model: { provider: "nobody", model: "m" } }, 422, "unknown-model"],
    ["plan", { goal: " " }, 400, "invalid-request"],
    ["decision", { message: "m", model: { provider: "nobody", model: "m" } }, 422, "unknown-model"],
    ["decision", { message: "m", orchestrate: true }, 400, "invalid-request"],
  ])("refuses to evaluate a %s of %j", async (what, body, status, code) => {
    const response = await at.call("POST", `/api/v1/evaluations/${what}`, { body });
    expect([response.status, problem.parse(await response.json()).code]).toEqual([status, code]);
  });

  it("was asked as a whole", () => {
    expect([...answered].sort()).toEqual(Object.keys(routes).sort());
  });

  it("accepts the plan that the documents show", async () => {
    await ask("createTask", { body: routes.createTask.bodyExample });
  });
});

it("every answer tells browsers to run, frame and sniff nothing", async () => {
  for (const path of ["/health", "/docs", "/openapi.json", "/nowhere"]) {
    const { headers } = await at.call("GET", path);
    expect(headers.get("content-security-policy"), path).toContain("default-src 'none'");
    expect(headers.get("x-content-type-options"), path).toBe("nosniff");
    expect(headers.get("access-control-allow-origin"), path).toBeNull();
  }
});

it("the documents load nothing from elsewhere", async () => {
  const page = await (await at.call("GET", "/docs", { key: "" })).text();
  expect(page).not.toMatch(/<script|<link|<img|@import|url\(/i);
  for (const { path } of Object.values<RouteShape>(routes)) expect(page).toContain(path);
  expect(readFileSync(new URL("../src/docs/page.ts", import.meta.url), "utf8")).not.toContain("http");
});

it("what another tenant owns does not exist", async () => {
  const { id } = await ask("createTask", { body: { plan } });
  const stranger = newId();
  await at.database.addTenant(stranger);
  const key = await at.addKey(["admin"], stranger);
  for (const path of ["", "/steps", "/traces", "/why", "/budget", "/artifacts", "/checkpoints"]) {
    expect((await at.call("GET", `/api/v1/tasks/${id}${path}`, { key })).status, path).toBe(404);
  }
  expect((await at.call("POST", `/api/v1/tasks/${id}/cancel`, { key })).status).toBe(404);
  expect((await at.call("PATCH", `/api/v1/tasks/${id}/budget`, { key, body: { tokens: 5 } })).status).toBe(404);
  expect((await at.call("DELETE", `/orchestrate?taskId=${id}`, { key })).status).toBe(404);
  const parts = [{ type: "text", text: "hello" }];
  await (await at.call("POST", "/api/chat", { body: { id: "ours", message: { role: "user", parts } } })).body?.cancel();
  expect((await at.call("GET", "/api/chat/ours/messages")).status).toBe(200);
  expect((await at.call("GET", "/api/chat/ours/messages", { key })).status).toBe(404);
  expect((await at.call("POST", "/api/chat/ours/stop", { key })).status).toBe(404);
  expect((await at.call("GET", "/api/chat/ours/stream", { key })).status).toBe(204);
  expect(((await (await at.call("GET", "/api/v1/tasks", { key })).json()) as { tasks: unknown[] }).tasks).toEqual([]);
  expect((await at.store.getTask({ tenantId: defaultTenantId, taskId: id }))?.state).toBe("pending");
});
