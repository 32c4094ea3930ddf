import { planSpec } from "@baton/core/plan";
import type { FailPoint } from "@baton/core/ports";
import { startModelServer } from "@baton/testing/model-server";
import type { ModelServer, ModelServerScript, ScriptedReply } from "@baton/testing/model-server";
import { defineTool } from "@baton/tools";
import { afterEach, describe, expect, inject, test } from "vitest";
import { z } from "zod";
import { openBench } from "./bench.ts";
import type { Bench, BenchOptions } from "./bench.ts";

let bench: Bench | undefined;
let server: ModelServer | undefined;
const open = async (script: ModelServerScript, options: Omit<BenchOptions, "postgresUrl"> = {}) => {
  server = await startModelServer(script);
  bench = await openBench({ postgresUrl: inject("postgresUrl"), modelUrl: server.url, ...options });
  return { ...bench, server };
};
async function shut(): Promise<void> {
  await bench?.close();
  await server?.close();
  bench = undefined;
  server = undefined;
}
afterEach(shut);

/** A shop outside the system: it remembers every order by its key. */
function shop(effect: "read" | "idempotent" | "write" = "idempotent") {
  const orders: { readonly key: string; readonly article: string }[] = [];
  const tool = defineTool({
    name: "shop.order",
    description: "Orders an article",
    input: z.object({ article: z.string().max(10) }),
    output: z.string(),
    effect,
    execute({ article }, { idempotencyKey }) {
      orders.push({ key: idempotencyKey, article });
      return `${article} ordered`;
    },
  });
  return { tool, orders };
}

const ask = (...articles: readonly string[]): ScriptedReply => ({
  text: "I order.",
  toolCalls: articles.map((article) => ({ name: "shop_order", input: { article } })),
  usage: { inputTokens: 100, outputTokens: 10 },
});
const answer = (text: string): ScriptedReply => ({ text, usage: { inputTokens: 200, outputTokens: 20 } });

/** Answers by how far the conversation is, as a model does; so that a repeated call gets the same answer. */
const byTurn =
  (...replies: readonly ScriptedReply[]): NonNullable<ModelServerScript["handler"]> =>
  ({ body }) => {
    const said = (body["messages"] as readonly { readonly role: string }[]).filter(({ role }) => role === "assistant");
    return replies[said.length] ?? { text: "The script is over." };
  };

const agent = { name: "buyer", description: "Buys.", instructions: "You buy what is needed.", tools: ["shop.order"] };
const planOf = (more: Readonly<Record<string, unknown>> = {}) => ({
  steps: [{ id: "buy", type: "agent", agent: { ...agent, ...more }, prompt: "Buy tea and milk." }],
});

describe("an agent", () => {
  test("thinks, calls what it needs at once, and answers; every call stands in the ledger and counts once", async () => {
    const { tool, orders } = shop();
    const { runPlan, steps, traces, store, server } = await open(
      { handler: byTurn(ask("tea", "milk"), ask("sugar"), answer("All is ordered.")) },
      { tools: [tool] },
    );
    const { ref, task } = await runPlan(planOf());
    expect(task).toMatchObject({ state: "completed", inputTokens: 400, outputTokens: 40 });
    const step = (await steps(ref)).get("buy");
    expect(step).toMatchObject({ output: "All is ordered.", inputTokens: 400, outputTokens: 40 });
    expect(orders.map(({ article }) => article).toSorted()).toEqual(["milk", "sugar", "tea"]);
    const effects = await store.listEffects(ref, { limit: 100 });
    expect(effects.map(({ callNo, tool: name, state }) => [callNo, name, state])).toEqual([
      [1, "model/turn", "succeeded"],
      [2, "shop.order", "succeeded"],
      [3, "shop.order", "succeeded"],
      [4, "model/turn", "succeeded"],
      [5, "shop.order", "succeeded"],
      [6, "model/turn", "succeeded"],
    ]);
    expect(await traces(ref, "model-called")).toHaveLength(3);
    expect(await traces(ref, "tool-called")).toHaveLength(3);
    const [first, , last] = server.requests.map(({ body }) => JSON.stringify(body));
    expect(first).toContain("You buy what is needed.");
    expect(first).toContain("Buy tea and milk.");
    expect(last).toContain("sugar ordered");
  });

  const points: readonly (readonly [FailPoint, number])[] = [
    ...[1, 2, 3].map((nth) => ["after-model-reply", nth] as const),
    ...[1, 2, 3].map((nth) => ["before-effect", nth] as const),
    ...[1, 2, 3].map((nth) => ["after-effect", nth] as const),
  ];
  test.each(points)(
    "whose attempt breaks off %s for the %i. time ends alike, and repeats no kept call",
    async (at, nth) => {
      const { tool, orders } = shop();
      let count = 0;
      const failPoint = (name: FailPoint): void => {
        if (name === at && ++count === nth) throw new Error(`broken off ${at}`);
      };
      const { runPlan, steps, traces, server } = await open(
        { handler: byTurn(ask("tea", "milk"), ask("sugar"), answer("All is ordered.")) },
        { tools: [tool], failPoint },
      );
      const { ref, task } = await runPlan(planOf());
      const step = (await steps(ref)).get("buy");
      expect(step).toMatchObject({ state: "completed", output: "All is ordered.", attemptNo: 2 });
      expect(task.state).toBe("completed");
      expect(new Set(orders.map(({ key }) => key)).size).toBe(3);
      expect(orders).toHaveLength(at === "after-effect" ? 4 : 3);
      const turns = server.requests.filter(({ path }) => path === "/v1/messages");
      expect(turns).toHaveLength(at === "after-model-reply" ? 4 : 3);
      // What a call cost whose answer nobody kept is not known.
      expect(await traces(ref, "model-called")).toHaveLength(3);
      expect(task.inputTokens).toBe(400);
    },
  );

  test("that was paused in the middle of a model call makes it again, and shows the first one as lost", async () => {
    const { tool, orders } = shop();
    const { create, run, steps, traces, store, server } = await open(
      {
        rules: [{ contains: "tea ordered", times: 1, reply: { text: "never", fault: { kind: "hang" } } }],
        handler: byTurn(ask("tea"), answer("Tea is ordered.")),
      },
      { tools: [tool] },
    );
    const ref = await create(planSpec.parse(planOf()));
    await Promise.all([
      run(ref, ({ state }) => state === "paused"),
      expect
        .poll(() => server.requests.length, { timeout: 20_000 })
        .toBe(2)
        .then(() => store.pauseTask(ref)),
    ]);
    await store.resumeTask(ref);
    await run(ref);
    expect((await steps(ref)).get("buy")).toMatchObject({
      state: "completed",
      output: "Tea is ordered.",
      failureCount: 0,
    });
    expect(orders).toHaveLength(1);
    expect((await traces(ref, "model-call-lost")).map(({ data }) => data)).toMatchObject([{ callNo: 3, attemptNo: 1 }]);
  });

  test("never calls what its definition does not name, however the name looks, and is told so", async () => {
    const { tool, orders } = shop("write");
    const names = ["shop.order", "shop_оrder", "Shop_order", "__proto__", "constructor", "shop_order "];
    const { runPlan, traces, server, store } = await open(
      {
        handler: byTurn(
          { toolCalls: names.map((name) => ({ name, input: { article: "gold" } })) },
          answer("I may not."),
        ),
      },
      { tools: [tool] },
    );
    const { ref, task } = await runPlan(planOf({ tools: [] }));
    expect(task.state).toBe("completed");
    expect(orders).toEqual([]);
    expect((await traces(ref, "tool-refused")).map(({ data }) => data)).toMatchObject(
      names.map((name) => ({ tool: name, code: "unknown-tool" })),
    );
    expect((await store.listEffects(ref, { limit: 100 })).map(({ tool: name }) => name)).toEqual([
      "model/turn",
      "model/turn",
    ]);
    expect(JSON.stringify(server.requests[1]?.body)).toContain("has no tool");
  });

  test("whose model writes what no database keeps fails, and its call is counted", async () => {
    const { tool } = shop();
    const nul = {
      toolCalls: [{ name: "shop_order", input: { article: "a\0b" } }],
      usage: { inputTokens: 7, outputTokens: 1 },
    };
    const broken = { toolCalls: [{ name: "\ud800".repeat(300), input: { article: "\udc00" } }] };
    const { runPlan, steps, traces, store } = await open({ replies: [broken, nul] }, { tools: [tool] });
    const { ref } = await runPlan(planOf());
    expect((await steps(ref)).get("buy")?.error).toMatchObject({ code: "output-invalid" });
    expect((await traces(ref, "tool-refused")).map(({ data }) => data["code"])).toEqual(["unknown-tool"]);
    expect(await traces(ref, "model-called")).toHaveLength(2);
    const states = (await store.listEffects(ref, { limit: 10 })).map(({ state }) => state);
    expect(states).toEqual(["succeeded", "refused"]);
  });

  test("is told what a tool refused, and goes on", async () => {
    const { tool, orders } = shop();
    const { runPlan, steps, server } = await open(
      { handler: byTurn(ask("a very long article"), ask("tea"), answer("Tea it is.")) },
      { tools: [tool] },
    );
    const { ref } = await runPlan(planOf());
    expect((await steps(ref)).get("buy")).toMatchObject({ state: "completed", output: "Tea it is.", attemptNo: 1 });
    expect(orders.map(({ article }) => article)).toEqual(["tea"]);
    expect(JSON.stringify(server.requests[1]?.body)).toContain("tool-input-invalid");
  });

  test("whose answer does not match its schema is told so twice, then is a dead letter", async () => {
    const output_schema = { type: "object", properties: { sum: { type: "number" } }, required: ["sum"] };
    const script = { handler: byTurn(answer("three"), answer('{"sum":"3"}'), answer('```json\n{"sum":3}\n```')) };
    const { runPlan, steps, traces } = await open(script);
    const { ref } = await runPlan(planOf({ tools: [], output_schema }));
    expect((await steps(ref)).get("buy")).toMatchObject({ state: "completed", output: { sum: 3 } });
    expect(await traces(ref, "output-rejected")).toHaveLength(2);
    await shut();
    const never = await open({ fallback: answer("no") });
    const { ref: other } = await never.runPlan(planOf({ tools: [], output_schema }));
    expect((await never.steps(other)).get("buy")).toMatchObject({ state: "failed", error: { code: "output-invalid" } });
  });

  test("that makes the same call three times with the same result stops, and says why", async () => {
    const { tool, orders } = shop();
    const { runPlan, steps, traces } = await open({ fallback: ask("tea") }, { tools: [tool] });
    const { ref } = await runPlan(planOf());
    expect((await steps(ref)).get("buy")).toMatchObject({
      state: "failed",
      error: { code: "agent-stopped", message: expect.stringContaining("three times") },
    });
    expect(orders).toHaveLength(3);
    expect((await traces(ref, "agent-stopped")).map(({ data }) => data)).toEqual([{ reason: "repeating", turns: 3 }]);
  });

  test("without a model that could be one fails at once", async () => {
    bench = await openBench({ postgresUrl: inject("postgresUrl") });
    const { ref } = await bench.runPlan(planOf({ tools: [] }));
    expect((await bench.steps(ref)).get("buy")?.error).toMatchObject({ code: "offline-cannot-answer" });
  });
});
