/** No prompt over its limit, nothing of the goal lost on the way, and a context that can be restored. */
import { defaultTenantId } from "@baton/core";
import type { ModelServerRequest } from "@baton/testing/model-server";
import { afterAll, beforeAll, expect, it } from "vitest";
import { expectRowsToEqualTraces } from "./oracle.ts";
import { askedBy, promptOf, type ScriptedModel, startScriptedModel } from "./scripted-model.ts";
import { onEachBackend, type Stack, startStack, until } from "./stack.ts";

/** Baton's estimate for prose: one token per three characters, four per message, three per prompt. */
function estimated(request: ModelServerRequest): number {
  const messages = request.body["messages"] as readonly unknown[];
  const parts = (request.body["system"] === undefined ? 0 : 1) + messages.length;
  return Math.ceil(promptOf(request).length / 3) + 4 * parts + 3;
}
/** What the scripted provider counts. */
const counted = (request: ModelServerRequest): number => Math.ceil(promptOf(request).length / 4);

onEachBackend("the context window", (backend) => {
  let model: ScriptedModel;
  let stack: Stack;
  beforeAll(async () => {
    model = await startScriptedModel();
    stack = await startStack({ backend, workers: 2, env: model.env });
  });
  afterAll(async () => {
    await stack?.stop();
    await model?.close();
  });

  const refOf = (taskId: string) => ({ tenantId: defaultTenantId, taskId });
  const rests = async (taskId: string) => {
    await until(`task ${taskId} rests`, async () =>
      ["completed", "failed"].includes((await stack.client.getTask(taskId)).state),
    );
    await expectRowsToEqualTraces(stack.store, refOf(taskId));
    return stack.client.getTask(taskId);
  };
  const tracesOf = async (taskId: string, type: string) =>
    (await stack.store.listTaskTraces(refOf(taskId), { limit: 1_000 })).filter((trace) => trace.type === type);

  it("ten outputs of 500 tokens at a limit of 2,000: no prompt is over it, and each later one has the goal and a summary", async () => {
    const limit = 2_000;
    // 500 tokens of Baton's estimate, whose figures differ per step.
    const output = (no: number) =>
      `Section ${no} reports that unit ${no} used ${no * 7} litres. `.repeat(40).slice(0, 1_500);
    const word = model.script({
      reason: (_no, request) => {
        const [, no] = /Write section (\d+)/.exec(promptOf(request)) ?? [];
        return { text: no === undefined ? "A conclusion." : output(Number(no)) };
      },
      summarize: (no) => ({ text: `SUMMARY-${no}: the units used water.` }),
    });
    const goal = `Report for ${word} how much water every unit used`;
    const names = Array.from({ length: 10 }, (_, index) => `section${index}`);
    const { id } = await stack.client.createTask({
      goal,
      settings: { contextWindowLimit: limit },
      plan: {
        steps: [
          ...names.map((name, index) => ({ id: name, type: "llm" as const, prompt: `Write section ${index}.` })),
          { id: "conclusion", type: "llm", prompt: "Draw the conclusion.", depends_on: names },
          { id: "second", type: "llm", prompt: "Draw another conclusion.", depends_on: [...names, "conclusion"] },
        ],
      },
    });
    expect(await rests(id)).toMatchObject({ state: "completed", result: "A conclusion." });

    const requests = model.requests(word);
    for (const request of requests) {
      expect(estimated(request), promptOf(request)).toBeLessThanOrEqual(limit);
      expect(counted(request)).toBeLessThanOrEqual(limit);
      expect(promptOf(request)).toContain(goal);
    }
    const conclusions = requests.filter((request) => promptOf(request).includes("conclusion."));
    const later = conclusions.filter((request) => askedBy(request) === "reason");
    expect(later).toHaveLength(2);
    for (const request of later) expect(promptOf(request)).toContain("SUMMARY-");
    const summaries = requests.filter((request) => askedBy(request) === "summarize");
    expect(summaries.length).toBeGreaterThan(2);
    // Nothing is left out on the way into the summaries.
    for (const [no] of names.entries())
      expect(summaries.some((request) => promptOf(request).includes(`unit ${no} used ${no * 7} litres`))).toBe(true);
    for (const request of summaries.slice(1).filter((each) => !promptOf(each).includes("section0")))
      expect(promptOf(request)).toContain("SUMMARY-");
    expect((await tracesOf(id, "context-summarised")).length).toBeGreaterThan(0);
  });

  it("saves a checkpoint after every checkpointInterval settled steps, and each restores the context of its moment", async () => {
    const names = Array.from({ length: 7 }, (_, index) => `s${index}`);
    const { id } = await stack.client.createTask({
      settings: { checkpointInterval: 2 },
      plan: {
        steps: [
          ...names.map((name, index) => ({
            id: name,
            type: "tool" as const,
            tool: "text.search",
            arguments: { text: `output of ${name}`, query: "output" },
            ...(index === 0 ? {} : { depends_on: [names[index - 1] as string] }),
          })),
          { id: "saved", type: "checkpoint", depends_on: ["s6"] },
        ],
      },
    });
    expect((await rests(id)).state).toBe("completed");
    const { checkpoints } = await stack.client.request("listCheckpoints", { params: { id } });
    expect(checkpoints.map(({ no }) => no)).toEqual(checkpoints.map((_, index) => index + 1));
    const counts = checkpoints.map(({ stepCount }) => stepCount);
    expect(counts).toEqual(expect.arrayContaining([2, 4, 6, 7]));

    const rows = await stack.store.listTaskSteps(refOf(id), { kinds: ["user"], limit: 100 });
    const outputs = new Map(rows.map(({ key, output }) => [key, output]));
    for (const checkpoint of checkpoints) {
      const restored = await stack.client.request("getCheckpoint", {
        params: { id, checkpointId: checkpoint.id },
      });
      expect(restored.outputs.map(({ key }) => key)).toEqual([...names, "saved"].slice(0, checkpoint.stepCount));
      for (const { key, output } of restored.outputs) expect(output).toEqual(outputs.get(key));
    }
  });

  it("repairs an answer against output_schema with what was wrong, and gives up after two repairs", async () => {
    const schema = {
      type: "object",
      properties: { litres: { type: "number" } },
      required: ["litres"],
      additionalProperties: false,
    };
    const start = async (reason: readonly { object: unknown }[]) => {
      const word = model.script({ reason });
      const { id } = await stack.client.createTask({
        goal: `Measure for ${word}`,
        plan: {
          steps: [
            {
              id: "measure",
              type: "llm",
              prompt: "How many litres?",
              output_schema: schema,
              retry: { max_attempts: 1 },
            },
          ],
        },
      });
      return {
        task: await rests(id),
        requests: model.requests(word, "reason"),
        rejected: await tracesOf(id, "output-rejected"),
      };
    };
    const mended = await start([{ object: { litres: "seven" } }, { object: { litres: 7 } }]);
    expect(mended.task).toMatchObject({ state: "completed", result: { litres: 7 } });
    expect(mended.requests).toHaveLength(2);
    const repair = promptOf(mended.requests[1] as ModelServerRequest);
    expect(repair).toContain("litres: ");
    expect(repair).toContain('"seven"');
    expect(mended.rejected).toHaveLength(1);

    const hopeless = await start([{ object: { litres: "seven" } }]);
    expect(hopeless.task).toMatchObject({ state: "failed", lastError: { code: "output-invalid" } });
    expect(hopeless.requests).toHaveLength(3);
    expect(hopeless.rejected).toHaveLength(3);
  });

  it("waits as long as a 429 says, then calls again", async () => {
    const word = model.script({ reason: [{ fault: { kind: "rate-limit", retryAfter: "2" } }, { text: "Answered." }] });
    const { id } = await stack.client.createTask({
      goal: word,
      plan: {
        steps: [
          { id: "answer", type: "llm", prompt: "Answer.", retry: { max_attempts: 2, base_ms: 0, cap_ms: 60_000 } },
        ],
      },
    });
    expect(await rests(id)).toMatchObject({ state: "completed", result: "Answered." });
    const [refused, answered, ...more] = model.requests(word);
    expect(more).toEqual([]);
    expect((answered?.at ?? 0) - (refused?.endedAt ?? Number.NaN)).toBeGreaterThanOrEqual(1_900);
    // To be asked to wait is no failure of the step.
    expect(await tracesOf(id, "step-retry-scheduled")).toEqual([]);
    const released = await tracesOf(id, "step-released");
    expect(released.map(({ data }) => data)).toMatchObject([{ error: { code: "provider-throttled" } }]);
  });

  it("stops a task at its token limit, and says so", async () => {
    const word = model.script({ reason: { text: "Answered.", usage: { inputTokens: 400, outputTokens: 200 } } });
    const { id } = await stack.client.createTask({
      goal: word,
      settings: { maxTokens: 1_000 },
      plan: {
        steps: ["a", "b", "c", "d"].map((name, index, all) => ({
          id: name,
          type: "llm" as const,
          prompt: "Answer.",
          ...(index === 0 ? {} : { depends_on: [all[index - 1] as string] }),
        })),
      },
    });
    const task = await rests(id);
    expect(task).toMatchObject({ state: "failed", lastError: { code: "token-limit" } });
    expect(model.requests(word).length).toBeLessThanOrEqual(2);
    expect(task.usage).toMatchObject({ inputTokens: 800, outputTokens: 400 });
    expect(task.usage.costUsd).toBeGreaterThan(0);
  });
});
