/** What a task does not allow is not called, whatever its plan or its model says: the worker holds to it. */
import { startModelServer } from "@baton/testing/model-server";
import type { ModelServer } from "@baton/testing/model-server";
import { defineTool } from "@baton/tools";
import { afterEach, expect, inject, test } from "vitest";
import { z } from "zod";
import { openBench } from "./bench.ts";
import type { Bench } from "./bench.ts";

let bench: Bench | undefined;
let server: ModelServer | undefined;
afterEach(async () => {
  await bench?.close();
  await server?.close();
});

function counting(name: string) {
  const calls: string[] = [];
  const tool = defineTool({
    name,
    description: "Counts its calls",
    input: z.object({}),
    output: z.string(),
    effect: "write",
    execute: () => `${calls.push(name)}`,
  });
  return { tool, calls };
}

test("a tool step outside them fails before its call", async () => {
  const [allowed, forbidden] = [counting("shop.order"), counting("bank.pay")];
  bench = await openBench({ postgresUrl: inject("postgresUrl"), tools: [allowed.tool, forbidden.tool] });
  const plan = { steps: [{ id: "pay", type: "tool", tool: "bank.pay" }] };
  const { ref } = await bench.runPlan(plan, { tools: ["shop.order"] });
  expect((await bench.steps(ref)).get("pay")).toMatchObject({
    state: "failed",
    error: { code: "unknown-tool", message: 'The task does not allow the tool "bank.pay"; it allows shop.order.' },
  });
  expect(forbidden.calls).toEqual([]);
  expect(await bench.store.listEffects(ref, { limit: 10 })).toEqual([]);
});

test("an agent is not told of one outside them, and a model that asks for it all the same is denied", async () => {
  const [allowed, forbidden] = [counting("shop.order"), counting("bank.pay")];
  server = await startModelServer({
    handler: ({ body }) =>
      JSON.stringify(body["messages"]).includes("tool_result")
        ? { text: "Done." }
        : {
            toolCalls: [
              { name: "bank_pay", input: {} },
              { name: "shop_order", input: {} },
            ],
          },
  });
  const tools = [allowed.tool, forbidden.tool];
  bench = await openBench({ postgresUrl: inject("postgresUrl"), modelUrl: server.url, tools });
  const agent = { name: "a", description: "A.", instructions: "Go.", tools: ["shop.order", "bank.pay"] };
  const plan = { steps: [{ id: "go", type: "agent", agent, prompt: "Go." }] };
  const { ref, task } = await bench.runPlan(plan, { tools: ["shop.order"] });
  expect(task.state).toBe("completed");
  expect([allowed.calls.length, forbidden.calls.length]).toEqual([1, 0]);
  expect(await bench.traces(ref, "tool-refused")).toHaveLength(1);
  const told = server.requests.map(({ body }) => body["tools"] as readonly { readonly name: string }[]);
  const offered = told.flat().map(({ name }) => name);
  expect(offered).toContain("shop_order");
  expect(offered).not.toContain("bank_pay");
});
