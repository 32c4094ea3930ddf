/** One test per defect that an earlier implementation of this API is known to have had. */
import { mkdtemp, rm } from "node:fs/promises";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Task } from "@baton/contracts";
import { defaultTenantId } from "@baton/core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { expectRowsToEqualTraces } from "./oracle.ts";
import { promptOf, type ScriptedModel, startScriptedModel } from "./scripted-model.ts";
import { newId, onEachBackend, type Stack, startStack, until } from "./stack.ts";

onEachBackend("the defects of earlier days", (backend) => {
  let model: ScriptedModel;
  let stack: Stack;
  let folder: string;
  beforeAll(async () => {
    model = await startScriptedModel();
    folder = await mkdtemp(join(tmpdir(), "baton-defects-"));
    const tools = fileURLToPath(new URL("tools", import.meta.url));
    stack = await startStack({
      backend,
      workers: 2,
      env: { ...model.env, BATON_TOOLS: tools, BATON_CONCURRENCY: "4" },
    });
  });
  afterAll(async () => {
    await stack?.stop();
    await model?.close();
    await rm(folder, { recursive: true, force: true });
  });

  const refOf = (taskId: string) => ({ tenantId: defaultTenantId, taskId });
  const rests = async (taskId: string): Promise<Task> => {
    await until(`task ${taskId} rests`, async () => {
      const { state } = await stack.client.getTask(taskId);
      return ["completed", "failed", "cancelled"].includes(state);
    });
    await expectRowsToEqualTraces(stack.store, refOf(taskId));
    return stack.client.getTask(taskId);
  };
  const stepsOf = (taskId: string) => stack.store.listTaskSteps(refOf(taskId), { limit: 1_000 });
  const orchestration = (taskId: string) => stack.client.request("orchestration", { query: { taskId } });
  const once = { max_attempts: 1 };
  const outage = { fault: { kind: "server-error" } } as const;

  it("a failed step is not counted as done, and its task does not complete", async () => {
    const word = model.script({ reason: outage });
    const { id } = await stack.client.createTask({
      goal: word,
      plan: {
        steps: [
          { id: "first", type: "tool", tool: "clock.now" },
          { id: "broken", type: "llm", prompt: "Answer.", depends_on: ["first"], retry: once },
          { id: "after", type: "tool", tool: "clock.now", depends_on: ["broken"] },
        ],
      },
    });
    const task = await rests(id);
    expect(task).toMatchObject({ state: "failed", settledSteps: 1, failedSteps: 1, totalSteps: 3, progress: 33 });
    expect(task.lastError).toMatchObject({ code: "provider-unavailable" });
    expect(task).not.toHaveProperty("result");
    expect((await stepsOf(id)).map(({ key, state }) => [key, state])).toEqual([
      ["first", "completed"],
      ["broken", "failed"],
      ["after", "pending"],
    ]);
    const status = await orchestration(id);
    expect(status).toMatchObject({ status: "failed", currentStep: 1, progress: 33 });
    expect(status.lastError).toContain("provider-unavailable");
    expect(status).not.toHaveProperty("completedAt");
  });

  it("a retried step is performed again although it has failed before", async () => {
    const word = model.script({ reason: [outage, { text: "At last." }] });
    const { id } = await stack.client.createTask({
      goal: word,
      plan: { steps: [{ id: "answer", type: "llm", prompt: "Answer.", retry: once }] },
    });
    expect((await rests(id)).state).toBe("failed");
    await stack.client.request("retryTask", { params: { id } });
    await until("it completes", async () => (await stack.client.getTask(id)).state === "completed");
    expect(await rests(id)).toMatchObject({ result: "At last.", failedSteps: 0 });
    expect((await stepsOf(id))[0]).toMatchObject({ state: "completed", attemptNo: 2 });
  });

  it("a step that is retried keeps one row, whatever the number of its attempts", async () => {
    const word = model.script({ reason: [outage, outage, { text: "At last." }] });
    const { id } = await stack.client.createTask({
      goal: word,
      plan: { steps: [{ id: "answer", type: "llm", prompt: "Answer.", retry: { max_attempts: 3, base_ms: 0 } }] },
    });
    expect(await rests(id)).toMatchObject({ state: "completed", totalSteps: 1, result: "At last." });
    const steps = await stepsOf(id);
    expect(steps.map(({ key, attemptNo, failureCount }) => ({ key, attemptNo, failureCount }))).toEqual([
      { key: "answer", attemptNo: 3, failureCount: 2 },
    ]);
    expect((await orchestration(id)).steps).toHaveLength(1);
  });

  it("cancelling one task leaves the steps of another alone", async () => {
    const words = [
      model.script({ reason: { fault: { kind: "hang" } } }),
      model.script({ reason: { text: "Answered.", delayMs: 200 } }),
    ];
    const steps = Array.from({ length: 8 }, (_, index) => ({
      id: `s${index}`,
      type: "llm" as const,
      prompt: "Answer.",
    }));
    const start = (goal: string) => stack.client.createTask({ goal, plan: { steps }, settings: { concurrency: 3 } });
    const [cancelled, kept] = (await Promise.all(words.map(start))).map(({ id }) => id) as [string, string];
    await until("both run", async () => words.every((word) => model.requests(word).length > 0));
    await stack.client.cancelTask(cancelled);
    expect((await rests(cancelled)).state).toBe("cancelled");
    expect(await rests(kept)).toMatchObject({ state: "completed", settledSteps: 8, failedSteps: 0 });
    expect((await stepsOf(kept)).every(({ failureCount, crashCount }) => failureCount + crashCount === 0)).toBe(true);
    expect(new Set((await stepsOf(cancelled)).map(({ state }) => state))).toEqual(new Set(["cancelled"]));
  });

  it("the last step in flight does not turn a cancelled task into a completed one", async () => {
    const file = join(folder, newId());
    const { id } = await stack.client.createTask({
      plan: { steps: [{ id: "last", type: "tool", tool: "test.stubborn", arguments: { ms: 1_200, file } }] },
    });
    await until("the last step is in flight", async () => existsSync(`${file}.begun`));
    await stack.client.cancelTask(id);
    expect((await stack.client.getTask(id)).state).toBe("cancelled");
    await until("the last step has worked on to its end", async () => existsSync(file));
    // Every worker settles something later than what the cancelled step may still report.
    const after = await stack.client.createTask({
      plan: {
        steps: Array.from({ length: 8 }, (_, index) => ({
          id: `s${index}`,
          type: "tool" as const,
          tool: "test.stubborn",
          arguments: { ms: 100, file: join(folder, newId()) },
        })),
      },
    });
    expect((await rests(after.id)).state).toBe("completed");
    expect(await rests(id)).toMatchObject({ state: "cancelled", runningSteps: 0 });
    expect((await stepsOf(id)).map(({ state }) => state)).toEqual(["cancelled"]);
    const types = (await stack.store.listTaskTraces(refOf(id), { limit: 100 })).map(({ type }) => type);
    expect(types).not.toContain("step-completed");
  });

  it("outputs that settle at the same moment all reach the steps after them", async () => {
    const count = 8;
    const word = model.script({
      reason: (_no, request) => {
        const [, which] = /Give part (\d+)/.exec(promptOf(request)) ?? [];
        return which === undefined ? { text: "Joined." } : { text: `part-${which}-arrived`, delayMs: 300 };
      },
    });
    const parts = Array.from({ length: count }, (_, index) => `p${index}`);
    const { id } = await stack.client.createTask({
      goal: word,
      plan: {
        steps: [
          ...parts.map((part, index) => ({ id: part, type: "llm" as const, prompt: `Give part ${index}.` })),
          { id: "join", type: "llm", prompt: "Join the parts.", depends_on: parts },
        ],
        result: { $cel: `[${parts.map((part) => `steps.${part}.output`).join(", ")}]` },
      },
    });
    const outputs = parts.map((_, index) => `part-${index}-arrived`);
    expect(await rests(id)).toMatchObject({ state: "completed", result: outputs });
    const join = model.requests(word).find((request) => promptOf(request).includes("Join the parts."));
    for (const output of outputs) expect(promptOf(join as NonNullable<typeof join>)).toContain(output);
  });

  it("twelve steps stand in numeric order wherever they are listed", async () => {
    const names = Array.from({ length: 12 }, (_, index) => `step${index}`);
    const descriptions = names.map((_, index) => `Number ${index}`);
    const word = model.script({
      plan: {
        object: {
          steps: names.map((id, index) => ({ id, type: "tool", tool: "clock.now", description: descriptions[index] })),
        },
      },
    });
    const started = await stack.client.request("chatOrchestrate", { body: { goal: `Count for ${word}` } });
    expect(started.strategy.steps.map(({ id }) => id)).toEqual(names);
    expect((await rests(started.taskId)).state).toBe("completed");
    const status = await orchestration(started.taskId);
    expect(status.steps.map(({ index }) => index)).toEqual(names.map((_, index) => String(index)));
    expect(status.steps.map(({ description }) => description)).toEqual(descriptions);
    const rows: string[] = [];
    for await (const step of stack.client.steps(started.taskId, { kind: "user", limit: 5 })) rows.push(step.key);
    expect(rows).toEqual(names);

    const list = await stack.client.createTask({
      plan: {
        steps: [
          {
            id: "each",
            type: "map",
            over: names.map((_, index) => index),
            step: {
              type: "tool",
              tool: "text.search",
              arguments: { text: { $cel: "string(int(item))" }, query: ".", regex: true },
            },
          },
        ],
        result: { $cel: "steps.each.output.map(x, x.matches[0].text)" },
      },
    });
    expect((await rests(list.id)).result).toEqual(names.map((_, index) => String(index)));
  });

  it("a plan that is prose, even with JSON in it, never becomes a plan of one step", async () => {
    const word = model.script({ plan: { text: 'Sure! My plan: {"steps": "just do it"} and we are done.' } });
    const refused = await stack.call("/api/chat/orchestrate", { json: { goal: `Arrange ${word}` } });
    expect(refused.status).toBe(422);
    const { code, taskId } = (await refused.json()) as { code: string; taskId: string };
    expect(code).toBe("planning-failed");
    expect(await rests(taskId)).toMatchObject({ state: "failed", totalSteps: 0 });
    expect((await stepsOf(taskId)).map(({ kind }) => kind)).toEqual(["plan"]);
  });

  it.each([
    [
      "YES in a reason for answering at once",
      { orchestrate: false, confidence: 0.9, reasons: ["YES, one answer will do."] },
      false,
    ],
    [
      "a reason without a YES for a task",
      { orchestrate: true, confidence: 0.9, reasons: ["No single answer will do."] },
      true,
    ],
  ])("no word decides whether to orchestrate: %s", async (_what, verdict, orchestrated) => {
    const word = model.script({
      decide: { object: verdict },
      plan: { object: { steps: [{ id: "now", type: "tool", tool: "clock.now" }] } },
    });
    const text = `Please arrange what ${word} needs for the conference next month`;
    const answer = await stack.client.chat({ id: newId(), message: { role: "user", parts: [{ type: "text", text }] } });
    expect(model.requests(word, "decide")).toHaveLength(1);
    expect(answer.answered).toBe(orchestrated ? "task" : "stream");
    if (answer.answered === "task") await rests(answer.reply.taskId);
    else for await (const _part of answer.parts);
  });

  it("clean-up deletes old finished tasks with all that belongs to them, and nothing else", async () => {
    const make = async () => {
      const { id } = await stack.client.createTask({
        plan: { steps: [{ id: "now", type: "tool", tool: "clock.now" }] },
      });
      await rests(id);
      return id;
    };
    const [old, young] = [await make(), await make()];
    const word = model.script({ reason: outage });
    const { id: failed } = await stack.client.createTask({
      goal: word,
      plan: { steps: [{ id: "broken", type: "llm", prompt: "Answer.", retry: once }] },
    });
    await rests(failed);
    await stack.database.execute(
      `update baton.task_execution set created_at = created_at - interval '31 days', updated_at = updated_at - interval '31 days',
         started_at = started_at - interval '31 days', finished_at = finished_at - interval '31 days' where task_id = any($1)`,
      [[old, failed]],
    );
    // A worker cleans up when it starts, and every minute.
    await stack.startWorker();
    await until("the old task is gone", async () => (await stack.store.getTask(refOf(old))) === undefined);
    expect((await stack.call(`/api/v1/tasks/${old}`)).status).toBe(404);
    expect(await stepsOf(old)).toEqual([]);
    expect(await stack.store.listTaskTraces(refOf(old), { limit: 10 })).toEqual([]);
    expect((await stack.client.getTask(young)).state).toBe("completed");
    expect((await stack.client.getTask(failed)).state).toBe("failed");
  });
});
