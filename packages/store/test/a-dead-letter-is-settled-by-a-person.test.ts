/** A step that is out of attempts: what a person's word makes of it and of its task. */
import { defaultTenantId } from "@baton/core";
import { compareWithRows, reduce } from "@baton/core/events";
import type { StepResolution } from "@baton/store";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Bench,
  claim,
  completed,
  type CreatedTask,
  createTask,
  failure,
  newId,
  openBench,
  settlementOf,
  statesOf,
  step,
} from "./builders.ts";

let bench: Bench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench?.close());

const why = { by: "somebody", reason: "looked into it" };
const skip: StepResolution = { ...why, attemptNo: 1, state: "skipped" };
const complete = (output: unknown, deadEdges: readonly string[] = []): StepResolution => ({
  ...why,
  attemptNo: 1,
  state: "completed",
  outputJson: JSON.stringify(output),
  deadEdges,
});
const resolve = (task: CreatedTask, stepId: string, resolution: StepResolution) =>
  bench.store.resolveStep({ ...task, stepId }, resolution);
const stateOf = async (task: CreatedTask) => (await bench.store.getTask(task))?.state;

/** Claims the step and ends its only attempt. */
async function exhaust(task: CreatedTask, stepId: string, error = failure): Promise<void> {
  const attempt = await claim(bench.store, task, stepId);
  await bench.store.settleAttempt(settlementOf(attempt, { outcome: "exhausted", error }));
}

async function finish(task: CreatedTask, stepId: string, output: unknown = {}): Promise<void> {
  await bench.store.settleAttempt(settlementOf(await claim(bench.store, task, stepId), completed(output)));
}

/** The log and the rows tell the same story. */
async function expectOneStory(task: CreatedTask): Promise<void> {
  const row = await bench.store.getTask(task);
  const steps = await bench.store.listTaskSteps(task, { limit: 10_000 });
  const traces = await bench.store.listTaskTraces(task, { limit: 10_000 });
  expect(compareWithRows(reduce(traces), { task: row as NonNullable<typeof row>, steps })).toEqual([]);
}

describe("a dead letter that is given an output", () => {
  it("is completed, and what waits for it is dispatched at once where its condition holds", async () => {
    const [a, yes, no, after] = [newId(), newId(), newId(), newId()];
    const when = { $cel: "true" };
    const task = await createTask(bench.store, [
      step("a", a),
      step("yes", yes, [], { dependsOn: [{ fromStepId: a, when }] }),
      step("no", no, [], { dependsOn: [{ fromStepId: a, when }] }),
      step("after-no", after, [no]),
    ]);
    await exhaust(task, a);
    expect(await stateOf(task)).toBe("failed");
    bench.sent.length = 0;
    expect(await resolve(task, a, complete({ by: "hand" }, [no]))).toEqual({
      answer: "changed",
      stepState: "completed",
      taskState: "running",
    });
    expect(await statesOf(bench.store, task)).toEqual({
      "a": "completed",
      "yes": "ready",
      "no": "skipped",
      "after-no": "skipped",
    });
    expect(bench.sent.filter(({ taskId }) => taskId === task.taskId).map(({ stepId }) => stepId)).toEqual([yes]);
    const traces = await bench.store.listTaskTraces(task, { limit: 100 });
    expect(traces.find(({ type }) => type === "step-resolved")).toMatchObject({
      stepId: a,
      data: { state: "completed", ...why, deadEdges: [no], preview: '{"by":"hand"}' },
    });
    await expectOneStory(task);
    const attempt = await claim(bench.store, task, yes);
    expect(attempt.inputs).toMatchObject([{ key: "a", output: { by: "hand" } }]);
    await bench.store.settleAttempt(settlementOf(attempt, completed()));
    expect(await stateOf(task)).toBe("completed");
  });

  it.each(["fail", "hold"] as const)("under the policy %s ends its task when it was the last", async (onExhausted) => {
    const a = newId();
    const task = await createTask(bench.store, [step("a", a, [], { onExhausted })]);
    await exhaust(task, a);
    expect(await stateOf(task)).toBe(onExhausted === "fail" ? "failed" : "blocked");
    expect(await resolve(task, a, complete(null))).toMatchObject({ answer: "changed", taskState: "completed" });
    expect((await bench.store.listTaskSteps(task, { limit: 1 }))[0]).toMatchObject({
      state: "completed",
      error: undefined,
    });
    await expectOneStory(task);
  });

  it("leaves its task resting while another step is out of attempts", async () => {
    const [a, b] = [newId(), newId()];
    const task = await createTask(bench.store, [step("a", a), step("b", b)]);
    const attempts = [await claim(bench.store, task, a), await claim(bench.store, task, b)];
    for (const attempt of attempts) {
      await bench.store.settleAttempt(settlementOf(attempt, { outcome: "exhausted", error: failure }));
    }
    expect(await resolve(task, a, complete(1))).toMatchObject({ answer: "changed", taskState: "failed" });
    expect(await resolve(task, b, skip)).toMatchObject({ answer: "changed", taskState: "completed" });
    await expectOneStory(task);
  });

  it.each([
    ["inline up to 64 KB", 65_000],
    ["by reference above", 70_000],
  ])("keeps it %s, and the same again changes nothing while another is refused", async (_place, size) => {
    // An emoji across the 500th character: half of it may not be stored.
    const output = `${"x".repeat(498)}😀${"y".repeat(size)}`;
    const [a, b] = [newId(), newId()];
    const task = await createTask(bench.store, [step("a", a), step("b", b, [a])]);
    await exhaust(task, a);
    expect(await resolve(task, a, complete(output))).toMatchObject({ answer: "changed" });
    expect(await resolve(task, a, complete(output))).toMatchObject({ answer: "unchanged", stepState: "completed" });
    expect(await resolve(task, a, complete("another"))).toMatchObject({ answer: "illegal", stepState: "completed" });
    expect(await resolve(task, a, skip)).toMatchObject({ answer: "illegal" });
    const { inputs } = await claim(bench.store, task, b);
    const [input] = inputs;
    const read = input?.blobId === undefined ? input?.output : await bench.store.readOutput(task, input.blobId);
    expect([input?.blobId === undefined, read]).toEqual([size < 65_536, output]);
  });

  it("of more than 32 MB is refused before anything is written", async () => {
    const a = newId();
    const task = await createTask(bench.store, [step("a", a)]);
    await exhaust(task, a);
    await expect(resolve(task, a, complete("x".repeat(33_554_432)))).rejects.toMatchObject({
      code: "payload-too-large",
    });
    expect(await stateOf(task)).toBe("failed");
  });

  it("saves a checkpoint where a settle would", async () => {
    const a = newId();
    const task = await createTask(bench.store, [step("a", a)], { settings: { checkpointInterval: 1 } });
    await exhaust(task, a);
    await resolve(task, a, complete({ n: 1 }));
    const [checkpoint] = await bench.store.listCheckpoints(task);
    expect(await bench.store.checkpointContext(task, checkpoint?.checkpointId ?? "")).toMatchObject([
      { key: "a", output: { n: 1 } },
    ]);
  });

  it("of a reply lands in its thread", async () => {
    const [reply, threadId] = [newId(), newId()];
    await bench.store.appendMessage({ tenantId: defaultTenantId, threadId, messageId: "m", role: "user", parts: [] });
    const task = await createTask(bench.store, [step("reply", reply, [], { kind: "reply", type: "reply" })], {
      kind: "reply",
      threadId,
    });
    await exhaust(task, reply);
    expect(await resolve(task, reply, complete({ text: "By hand." }))).toMatchObject({ taskState: "completed" });
    const messages = await bench.store.listMessages(defaultTenantId, threadId, 10);
    expect(messages.at(-1)).toMatchObject({ role: "assistant", parts: [{ type: "text", text: "By hand." }] });
  });
});

describe("a dead letter that is skipped", () => {
  it("takes along what cannot run without it, and no more", async () => {
    const [a, b, c, d] = [newId(), newId(), newId(), newId()];
    const task = await createTask(bench.store, [
      step("a", a),
      step("b", b, [a]),
      step("c", c),
      step("d", d, [b, c], { join: 1 }),
    ]);
    await finish(task, c);
    await finish(task, d);
    await exhaust(task, a);
    expect(await resolve(task, a, skip)).toMatchObject({ answer: "changed", taskState: "completed" });
    expect(await statesOf(bench.store, task)).toEqual({ a: "skipped", b: "skipped", c: "completed", d: "completed" });
    expect(await resolve(task, a, skip)).toMatchObject({ answer: "unchanged" });
    await expectOneStory(task);
  });
});

describe("an item of a map", () => {
  const expanded = async (count: number, concurrency: number) => {
    const map = newId();
    const ids = Array.from({ length: count }, newId);
    const task = await createTask(bench.store, [step("map", map, [], { type: "map" })]);
    const items = ids.map((id, index) =>
      step(`map[${index}]`, id, [], { item: { parentStepId: map, index, value: index } }),
    );
    const attempt = await claim(bench.store, task, map);
    await bench.store.settleAttempt(settlementOf(attempt, { outcome: "expanded", items, concurrency }));
    return { task, map, ids };
  };

  it("that a person settles makes room for the next one, and the last lets the map collect them", async () => {
    const { task, map, ids } = await expanded(3, 1);
    const [first = "", second = "", third = ""] = ids;
    await exhaust(task, first);
    expect(await resolve(task, first, complete("by hand"))).toMatchObject({ taskState: "running" });
    await exhaust(task, second);
    await resolve(task, second, skip);
    await finish(task, third, "by itself");
    await expectOneStory(task);
    const collecting = await claim(bench.store, task, map);
    expect(collecting.joining).toBe(true);
    const outputs = [];
    for await (const { output } of bench.store.itemOutputs(collecting.ref)) outputs.push(output ?? null);
    expect(outputs).toEqual(["by hand", null, "by itself"]);
  });

  it("that is skipped with its summary lets the map go on", async () => {
    const { task, map, ids } = await expanded(1, 1);
    const summary = newId();
    const item = await claim(bench.store, task, ids[0] ?? "");
    const adds = [step("summary", summary, [], { kind: "summary", type: "summarization" })];
    await bench.store.settleAttempt(settlementOf(item, { outcome: "deferred", adds }));
    await exhaust(task, summary);
    expect(await resolve(task, summary, skip)).toMatchObject({ answer: "changed" });
    expect(await statesOf(bench.store, task)).toEqual({ "map": "ready", "map[0]": "skipped", "summary": "skipped" });
    await expectOneStory(task);
    await finish(task, map, []);
    expect(await stateOf(task)).toBe("completed");
  });
});

describe("Baton's own steps", () => {
  it("of planning are not resolved, only retried", async () => {
    const plan = newId();
    const task = await createTask(bench.store, [step("plan", plan, [], { kind: "plan", type: "plan" })], {
      kind: "goal",
    });
    await exhaust(task, plan);
    for (const resolution of [skip, complete({})]) {
      expect(await resolve(task, plan, resolution)).toMatchObject({ answer: "illegal", stepState: "failed" });
    }
    expect(await bench.store.retryStep({ ...task, stepId: plan }, why)).toMatchObject({ answer: "changed" });
    expect(await stateOf(task)).toBe("planning");
  });

  it("of evaluating are skipped, which ends the task with what it has; a resolved last step is evaluated first", async () => {
    const [plan, a] = [newId(), newId()];
    const task = await createTask(bench.store, [step("plan", plan, [], { kind: "plan", type: "plan" })], {
      kind: "goal",
    });
    const attempt = await claim(bench.store, task, plan);
    await bench.store.settleAttempt(settlementOf(attempt, completed({}, { adds: [step("a", a)] })));
    await exhaust(task, a);
    expect(await resolve(task, a, complete("done"))).toMatchObject({ taskState: "evaluating" });
    const [evaluation] = await bench.store.listTaskSteps(task, { kinds: ["evaluate"], limit: 1 });
    await exhaust(task, evaluation?.stepId ?? "");
    expect(await resolve(task, evaluation?.stepId ?? "", complete({}))).toMatchObject({ answer: "illegal" });
    expect(await resolve(task, evaluation?.stepId ?? "", skip)).toMatchObject({ taskState: "completed" });
    await expectOneStory(task);
  });
});

describe("of several people", () => {
  it("one is obeyed: whoever judged an earlier failure is refused", async () => {
    const a = newId();
    const task = await createTask(bench.store, [step("a", a)]);
    await exhaust(task, a);
    await bench.store.retryStep({ ...task, stepId: a }, why);
    expect(await resolve(task, a, complete(1))).toMatchObject({ answer: "illegal", stepState: "ready" });
    await exhaust(task, a);
    expect(await resolve(task, a, complete(1))).toMatchObject({ answer: "illegal", stepState: "failed" });
    expect(await resolve(task, a, { ...skip, attemptNo: 2 })).toMatchObject({ answer: "changed" });
  });

  it("who act at the same moment exactly one changes it", async () => {
    const ids = Array.from({ length: 4 }, newId);
    const task = await createTask(
      bench.store,
      ids.map((id, index) => step(`s${index}`, id, [], { onExhausted: "hold" })),
    );
    for (const id of ids) await exhaust(task, id);
    const answers = await Promise.all(
      ids.flatMap((stepId) => [
        resolve(task, stepId, skip),
        resolve(task, stepId, complete("x")),
        bench.store.retryStep({ ...task, stepId }, why),
        resolve(task, stepId, complete("y")),
      ]),
    );
    ids.forEach((_id, index) => {
      const changed = answers.slice(index * 4, index * 4 + 4).filter((answer) => answer?.answer === "changed");
      expect(changed).toHaveLength(1);
    });
    await expectOneStory(task);
  });
});

describe("retrying many", () => {
  it("reopens every letter of a cause in every task, dispatches it, and leaves the others", async () => {
    const error = { code: "provider-unavailable", message: "request 17 failed", causes: [] };
    const tasks = await Promise.all(
      Array.from({ length: 205 }, async (_none, index) => {
        const stepId = newId();
        const task = await createTask(bench.store, [step("a", stepId)]);
        await exhaust(
          task,
          stepId,
          index < 203 ? { ...error, message: `request ${index} failed` } : { ...error, code: "other" },
        );
        return { task, stepId };
      }),
    );
    bench.sent.length = 0;
    const selection = { tenantId: defaultTenantId, code: "provider-unavailable" };
    const { groups, total } = await bench.store.listDeadLetterGroups({ ...selection, limit: 10, letters: 2 });
    expect([total, groups.length]).toEqual([203, 1]);
    expect(groups[0]).toMatchObject({
      code: "provider-unavailable",
      pattern: "request <n> failed",
      count: 203,
      taskCount: 203,
    });
    expect(groups[0]?.letters).toHaveLength(2);
    expect(await bench.store.retryDeadLetters({ ...selection, groupId: groups[0]?.groupId }, why)).toEqual({
      retriedSteps: 203,
      retriedTasks: 203,
    });
    expect(new Set(bench.sent.map(({ stepId }) => stepId)).size).toBe(203);
    expect((await bench.store.listDeadLetterGroups({ ...selection, limit: 10, letters: 2 })).groups).toEqual([]);
    for (const { task } of tasks.slice(203)) expect(await stateOf(task)).toBe("failed");
    expect(await bench.store.retryDeadLetters({ tenantId: defaultTenantId, code: "other" }, why)).toMatchObject({
      retriedSteps: 2,
    });
    await expectOneStory(tasks[0]?.task as CreatedTask);
  });
});

describe("a bulk retry", () => {
  it("leaves what fails after it began", async () => {
    const tenantId = newId();
    await bench.database.addTenant(tenantId);
    const [before, after] = [newId(), newId()];
    for (const stepId of [before, after]) {
      await exhaust(await createTask(bench.store, [step("a", stepId)], { tenantId }), stepId);
    }
    await bench.admin.query(
      "update baton.task_execution_step set finished_at = baton.clock() + interval '1 hour' where step_id = $1",
      [after],
    );
    expect(await bench.store.retryDeadLetters({ tenantId }, why)).toEqual({ retriedSteps: 1, retriedTasks: 1 });
    expect((await bench.store.findDeadLetter(tenantId, after))?.state).toBe("failed");
  });
});

describe("dead letters", () => {
  it("are paged by cause and within one, newest first, each once", async () => {
    const failing = async (message: string, code = "paged") => {
      const stepId = newId();
      const task = await createTask(bench.store, [step("a", stepId)], { tenantId });
      await exhaust(task, stepId, { code, message, causes: [] });
      return stepId;
    };
    const tenantId = newId();
    await bench.database.addTenant(tenantId);
    const first = [];
    for (const message of ['the file "a" is gone', 'the file "b" is gone', 'the file "c" is gone'])
      first.unshift(await failing(message));
    await failing(`step ${newId()} at https://example.com/${newId()} took 3.5 s`);
    await failing("x", "another");
    const seen: string[] = [];
    let before: { failedAtMicros: number; id: string } | undefined;
    for (let page = 0; page < 3; page++) {
      const { groups, total } = await bench.store.listDeadLetterGroups({ tenantId, before, limit: 1, letters: 1 });
      expect(total).toBe(5);
      seen.push(...groups.map(({ code, pattern }) => `${code}: ${pattern}`));
      before = { failedAtMicros: groups[0]?.lastFailedAtMicros ?? 0, id: groups[0]?.groupId ?? "" };
    }
    expect(seen).toEqual(["another: x", "paged: step <id> at <url> took <n> s", 'paged: the file "…" is gone']);
    expect((await bench.store.listDeadLetterGroups({ tenantId, before, limit: 1, letters: 1 })).groups).toEqual([]);
    const groupId = before?.id;
    const newest = await bench.store.listDeadLetters({ tenantId, groupId, limit: 2 });
    const last = newest.at(-1);
    const position = { failedAtMicros: last?.failedAtMicros ?? 0, id: last?.stepId ?? "" };
    const rest = await bench.store.listDeadLetters({ tenantId, groupId, before: position, limit: 2 });
    expect([...newest, ...rest].map(({ stepId }) => stepId)).toEqual(first);
  });

  it("show their attempts' errors, the inputs as an attempt would get them, and the calls they began", async () => {
    const [a, b] = [newId(), newId()];
    const config = { type: "tool", tool: "mail.send", arguments: { to: { $cel: "steps.a.output.name" } } };
    const task = await createTask(bench.store, [step("a", a), step("b", b, [a], { config, references: ["a"] })]);
    await finish(task, a, { name: "Ada" });
    const attempt = await claim(bench.store, task, b);
    await bench.store.startEffect({
      ref: attempt.ref,
      attemptNo: 1,
      callNo: 1,
      tool: "mail.send",
      effect: "write",
      argumentsJson: '{"to":"Ada"}',
    });
    await bench.store.settleAttempt(settlementOf(attempt, { outcome: "exhausted", error: failure }));
    const found = await bench.store.readFailedStep(defaultTenantId, b);
    expect(found?.letter).toMatchObject({
      key: "b",
      tool: "mail.send",
      error: failure,
      taskState: "failed",
      attemptNo: 1,
    });
    expect(found?.step).toMatchObject({
      config,
      inputs: [{ key: "a", output: { name: "Ada" } }],
      task: { goal: "a test" },
    });
    expect(found?.history.map(({ type }) => type)).toEqual(["step-started", "step-failed"]);
    expect(found?.effects).toMatchObject([
      { tool: "mail.send", arguments: { to: "Ada" }, state: "intent", idempotencyKey: `${b}-1` },
    ]);
    expect(await bench.store.whyTask(task)).toMatchObject([{ on: "dead-letter", stepId: b, deadLetterKind: "user" }]);
  });
});
