import type { ModelMessage, ModelRequest, ModelTool } from "@baton/core/ports";
import type { ModelRef } from "@baton/core/plan";
import { type ModelServer, type ModelServerScript, startModelServer } from "@baton/testing/model-server";
import { afterEach, describe, expect, it } from "vitest";
import { toolNames } from "../src/providers/tool-names.ts";
import { ask, modelsOf, openModel, short, sonnet } from "./models.fixture.ts";

let server: ModelServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

async function serve(script: ModelServerScript): Promise<ModelServer> {
  server = await startModelServer(script);
  return server;
}

const tools: readonly ModelTool[] = [
  {
    name: "shop.price",
    description: "The price of an article.",
    inputSchema: { type: "object", properties: { article: { type: "string" } }, required: ["article"] },
  },
  { name: "now", description: "The time.", inputSchema: { type: "object", properties: {} } },
];

const both: readonly ModelRef[] = [sonnet, openModel];
const ways = both.flatMap((model) => [
  { model, way: "whole", more: short as Partial<ModelRequest> },
  { model, way: "streamed", more: { onDelta: () => {} } as Partial<ModelRequest> },
]);

describe.each(ways)("$model.provider, $way", ({ model, more }) => {
  const request = (own: Partial<ModelRequest> = {}) => ask(model, { tools, ...more, ...own });

  it("asks for several calls at once, under the names that the caller knows", async () => {
    const { url, requests } = await serve({
      replies: [
        {
          text: "Let me see.",
          toolCalls: [
            { name: "shop_price", input: { article: 'Gewürz "A"' } },
            { name: "now", input: {} },
          ],
          usage: { inputTokens: 30, outputTokens: 12 },
        },
      ],
    });
    const reply = await modelsOf(url).generate(request());
    expect(reply).toMatchObject({
      text: "Let me see.",
      finishReason: "tool-calls",
      toolCalls: [
        { tool: "shop.price", input: { article: 'Gewürz "A"' } },
        { tool: "now", input: {} },
      ],
      usage: { inputTokens: 30, outputTokens: 12, estimated: false },
    });
    expect(new Set(reply.toolCalls?.map(({ id }) => id)).size).toBe(2);
    const told = JSON.stringify(requests[0]?.body["tools"]);
    expect(told).toContain('"shop_price"');
    expect(told).toContain("The price of an article.");
  });

  it("may ask without a word", async () => {
    const { url } = await serve({ replies: [{ toolCalls: [{ name: "now", input: {} }] }] });
    const reply = await modelsOf(url).generate(request());
    expect(reply).toMatchObject({ text: "", finishReason: "tool-calls" });
  });

  it("a name that nobody offered comes back as it was written", async () => {
    const { url } = await serve({ replies: [{ toolCalls: [{ name: "shop_рrice", input: { a: 1 } }] }] });
    const reply = await modelsOf(url).generate(request());
    expect(reply.toolCalls).toMatchObject([{ tool: "shop_рrice", input: { a: 1 } }]);
  });

  it("arguments that are no JSON come back as the text they are", async () => {
    const { url } = await serve({
      replies: [{ toolCalls: [{ name: "now", input: {} }], fault: { kind: "malformed-tool-json" } }],
    });
    const reply = await modelsOf(url).generate(request());
    expect(reply.finishReason).toBe("tool-calls");
    expect(reply.toolCalls?.[0]?.tool).toBe("now");
    expect(typeof reply.toolCalls?.[0]?.input).toBe("string");
  });

  it("an answer that the length limit cut in a call is no answer", async () => {
    const { url } = await serve({ replies: [{ toolCalls: [{ name: "now", input: {} }], lengthLimited: true }] });
    await expect(modelsOf(url).generate(request())).rejects.toMatchObject({
      code: "output-cut",
      details: { usage: expect.objectContaining({ inputTokens: expect.any(Number) }) },
    });
  });

  it("a call in an answer without an end is no call", async () => {
    const { url } = await serve({
      replies: [{ toolCalls: [{ name: "now", input: {} }], fault: { kind: "no-finish-reason" } }],
    });
    await expect(modelsOf(url).generate(request())).rejects.toMatchObject({ code: "output-cut" });
  });

  it("tells the model what became of its calls", async () => {
    const { url, requests } = await serve({ fallback: { text: "It costs 3." } });
    const history: readonly ModelMessage[] = [
      { role: "system", content: "Be brief." },
      { role: "user", content: "What does it cost?" },
      {
        role: "assistant",
        content: "",
        toolCalls: [
          { id: "c1", tool: "shop.price", input: { article: "A" } },
          { id: "c2", tool: "old.tool", input: {} },
        ],
      },
      { role: "tool", callId: "c1", tool: "shop.price", content: '{"price":3}', isError: false },
      { role: "tool", callId: "c2", tool: "old.tool", content: "There is no such tool.", isError: true },
    ];
    const models = modelsOf(url);
    await expect(models.generate(request({ messages: history }))).resolves.toMatchObject({ text: "It costs 3." });
    const sent = JSON.stringify(requests[0]?.body["messages"]);
    for (const text of ["shop_price", "old_tool", "c1", "c2", "There is no such tool."]) expect(sent).toContain(text);
    expect(requests[0]?.body["messages"]).toHaveLength(model.provider === "anthropic" ? 3 : 5);
    const signal = new AbortController().signal;
    const counted = await models.countTokens(model, history, true, signal);
    expect(counted.exact).toBe(model.provider === "anthropic");
    expect(counted.tokens).toBeGreaterThan((await models.countTokens(model, history.slice(0, 2), true, signal)).tokens);
  });

  it("is told of the tools and kept from calling where the caller says so", async () => {
    const { url, requests } = await serve({ fallback: { text: "Done." } });
    await modelsOf(url).generate(request({ toolChoice: "none" }));
    expect(JSON.stringify(requests[0]?.body["tool_choice"])).toContain('"none"');
    expect(JSON.stringify(requests[0]?.body["tools"])).toContain("shop_price");
  });
});

describe("names of tools on the wire", () => {
  it("are what every provider takes, differ where the tools do, and lead back", () => {
    const tools = ["a.b", "a_b", "a b", "__proto__", "constructor", "ü", "x".repeat(70), `${"x".repeat(70)}y`];
    const names = toolNames(tools);
    const wires = tools.map((tool) => names.toWire(tool));
    expect(new Set(wires).size).toBe(tools.length);
    for (const wire of wires) expect(wire).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
    expect(wires.map((wire) => names.fromWire(wire))).toEqual(tools);
    expect(names.fromWire("never-offered")).toBe("never-offered");
  });
});
