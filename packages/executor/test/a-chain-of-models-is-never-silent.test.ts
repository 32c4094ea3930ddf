/** A model that is not to be had is followed by the next of its chain: visibly, at that one's cost, and never offline. */
import type { PlanSpec } from "@baton/core/plan";
import type { TaskSettingsInput } from "@baton/core/task";
import { type Fault, type ModelServer, type ScriptedReply, startModelServer } from "@baton/testing/model-server";
import { afterEach, expect, inject, test } from "vitest";
import { type Bench, openBench } from "./bench.ts";

let bench: Bench | undefined;
let server: ModelServer | undefined;
afterEach(async () => {
  await bench?.close();
  await server?.close();
  bench = undefined;
  server = undefined;
});

const anthropic = (model: string) => ({ provider: "anthropic", model });
const [first, second, third] = ["claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-4-5"].map(anthropic) as [
  ReturnType<typeof anthropic>,
  ReturnType<typeof anthropic>,
  ReturnType<typeof anthropic>,
];
const usage = { inputTokens: 1_000, outputTokens: 100 };

async function open(replies: Readonly<Record<string, ScriptedReply | Fault>>): Promise<Bench & { asked(): string[] }> {
  const started = await startModelServer({
    handler: ({ body }) => {
      const found = replies[String(body["model"])] ?? { text: `by ${String(body["model"])}`, usage };
      return "kind" in found ? { text: "one two three", fault: found } : found;
    },
  });
  server = started;
  bench = await openBench({ postgresUrl: inject("postgresUrl"), modelUrl: started.url });
  return { ...bench, asked: () => started.requests.map(({ body }) => String(body["model"])) };
}

const plan = (more: object = {}, retry: object = {}): PlanSpec => ({
  steps: [{ id: "think", type: "llm", prompt: "Think.", retry, ...more }],
});
const settings: TaskSettingsInput = { model: first, fallbackModels: [second, third] };

test.each<[Fault, string]>([
  [{ kind: "overloaded" }, "provider-unavailable"],
  [{ kind: "rate-limit", retryAfter: "30" }, "provider-throttled"],
  [{ kind: "spend-limit" }, "provider-spend-limit"],
  [{ kind: "unauthorized" }, "provider-auth"],
  [{ kind: "refusal" }, "model-refused"],
  [{ kind: "reset" }, "provider-unavailable"],
])("after %j the next model answers in the same attempt; the trace names both and %s", async (fault, code) => {
  const { runPlan, steps, traces, asked } = await open({ [first.model]: fault });
  const { ref, task } = await runPlan(plan(), settings);
  expect(task.state).toBe("completed");
  expect(asked()).toEqual([first.model, second.model]);
  const fallbacks = await traces(ref, "model-fallback");
  expect(fallbacks.map(({ data }) => data)).toMatchObject([{ purpose: "reason", from: first, to: second, code }]);
  const step = (await steps(ref)).get("think");
  expect(step).toMatchObject({
    output: `by ${second.model}`,
    attemptNo: 1,
    failureCount: 0,
    model: `anthropic/${second.model}`,
  });
});

test("the cost is that of the model that answered", async () => {
  const { runPlan, traces } = await open({ [first.model]: { kind: "overloaded" } });
  const { ref } = await runPlan(plan(), settings);
  const calls = (await traces(ref, "model-called")).map(({ data }) => data);
  // 1,000 tokens at 2 dollars a million and 100 at 10.
  expect(calls).toMatchObject([{ model: second, costUsd: 0.003 }]);
});

test.each<[Fault, string, string]>([
  [{ kind: "bad-request" }, "failed", "provider-rejected"],
  [{ kind: "context-too-long" }, "failed", "context-too-large"],
  [{ kind: "cut", afterChunks: 2 }, "failed", "output-cut"],
  [{ kind: "error-event", afterChunks: 2 }, "failed", "provider-unavailable"],
])("after %j no other model is asked: the step has %s with %s", async (fault, state, code) => {
  const { runPlan, steps, traces, asked } = await open({ [first.model]: fault });
  const { ref, task } = await runPlan(plan({}, { max_attempts: 1 }), settings);
  expect([task.state, (await steps(ref)).get("think")?.error?.code]).toEqual([state, code]);
  expect(asked()).toEqual([first.model]);
  expect(await traces(ref, "model-fallback")).toEqual([]);
});

test("where none is to be had, the step waits if one of them only has to be waited for", async () => {
  const { create, run, traces, asked } = await open({
    [first.model]: { kind: "rate-limit", retryAfter: "30" },
    [second.model]: { kind: "unauthorized" },
    [third.model]: { kind: "spend-limit" },
  });
  const ref = await create(plan(), settings);
  expect((await run(ref, ({ state }) => state === "retrying")).state).toBe("retrying");
  expect(asked()).toEqual([first.model, second.model, third.model]);
  const [released] = await traces(ref, "step-released");
  expect(released?.data).toMatchObject({ reason: "provider-throttled", error: { code: "provider-throttled" } });
});

test("a step's own chain goes before its task's, and one without models has none", async () => {
  const { runPlan, asked } = await open({ [first.model]: { kind: "overloaded" } });
  await runPlan(plan({ fallback_models: [third] }), settings);
  expect(asked()).toEqual([first.model, third.model]);
  const { task } = await runPlan(plan({ fallback_models: [] }, { max_attempts: 1 }), settings);
  expect(task.state).toBe("failed");
});

test("the offline model never takes a language model's place", async () => {
  const { runPlan, steps } = await open({ [first.model]: { kind: "overloaded" } });
  const offline = { provider: "offline", model: "offline-rules" };
  const { ref, task } = await runPlan(plan({}, { max_attempts: 1 }), { model: first, fallbackModels: [offline] });
  expect(task.state).toBe("failed");
  expect((await steps(ref)).get("think")).toMatchObject({ offline: false, error: { code: "unknown-model" } });
});
