/** Prompt caching over the wire: what is marked, what the provider says was read and written, and what that costs. */
import type { ModelMessage, ModelRequest, ModelTool } from "@baton/core/ports";
import { type ModelServer, startModelServer } from "@baton/testing/model-server";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ask, modelsOf, openModel, sonnet } from "./models.fixture.ts";

let server: ModelServer;
beforeEach(async () => {
  server = await startModelServer({ fallback: { text: "Done.", usage: { outputTokens: 10 } } });
});
afterEach(() => server.close());

const tools: readonly ModelTool[] = [
  { name: "files.read", description: "Reads a file. ".repeat(100), inputSchema: { type: "object" } },
];
const long = "Look at every file of the folder, one after the other. ".repeat(80);

/** The prompt of an agent's turn: the first ones, and so many turns. */
function turns(count: number): readonly ModelMessage[] {
  const made = Array.from({ length: count }, (_, no): ModelMessage[] => [
    { role: "assistant", content: "", toolCalls: [{ id: `c${no}`, tool: "files.read", input: { no } }] },
    { role: "tool", callId: `c${no}`, tool: "files.read", content: `File ${no}: ${long}`, isError: false },
  ]);
  return [{ role: "system", content: long }, { role: "user", content: "Go on." }, ...made.flat()];
}

const send = (messages: readonly ModelMessage[], more: Partial<ModelRequest> = {}) =>
  modelsOf(server.url).generate(ask(sonnet, { messages, tools, ...more }));
const marksIn = (at: number): number => JSON.stringify(server.requests[at]?.body).split('"cache_control"').length - 1;

describe("the turns of an agent", () => {
  it.each([true, false])("read what the turn before has written (streamed: %s)", async (streams) => {
    const how = streams ? { onDelta: () => {} } : { maxOutputTokens: 1_000 };
    const replies = [await send(turns(0), how), await send(turns(1), how), await send(turns(2), how)];
    expect([0, 1, 2].map(marksIn)).toEqual([2, 2, 2]);
    const [first, second, third] = replies.map(({ usage }) => usage);
    expect(first).toMatchObject({ cachedInputTokens: 0 });
    expect(first?.cacheWriteTokens).toBeGreaterThan(1_024);
    expect(second?.cachedInputTokens).toBe(first?.cacheWriteTokens);
    expect(third?.cachedInputTokens).toBe((second?.cachedInputTokens ?? 0) + (second?.cacheWriteTokens ?? 0));
    expect(third?.cacheWriteTokens).toBeLessThan(2_000);
  });

  it("cost what is read and written at their own prices", async () => {
    await send(turns(0));
    const { usage, costUsd } = await send(turns(1));
    const { inputTokens, cachedInputTokens: read, cacheWriteTokens: written = 0, outputTokens } = usage;
    const fresh = inputTokens - read - written;
    expect(read).toBeGreaterThan(0);
    expect(written).toBeGreaterThan(0);
    expect(costUsd).toBeCloseTo((fresh * 2 + read * 0.1 + written * 2.5 + outputTokens * 10) / 1e6, 12);
  });

  it("are bounded as if all of the input were written", async () => {
    const models = modelsOf(server.url);
    const request = ask(sonnet, { messages: turns(1), tools });
    const bound = await models.bound(request, false);
    expect(bound.price?.inputUsd).toBeCloseTo((bound.inputTokens * 2.5) / 1e6, 9);
    expect((await models.generate(request)).costUsd ?? 0).toBeLessThanOrEqual(bound.price?.inputUsd ?? 0);
  });
});

describe("nothing is marked", () => {
  it("in a prompt that is sent once", async () => {
    const { usage } = await modelsOf(server.url).generate(ask(sonnet, { messages: turns(0) }));
    expect([marksIn(0), usage.cachedInputTokens, usage.cacheWriteTokens]).toEqual([0, 0, undefined]);
  });

  it("in one that is shorter than what is kept", async () => {
    await modelsOf(server.url).generate(
      ask(sonnet, { tools: [{ ...(tools[0] as ModelTool), description: "Reads." }] }),
    );
    expect(marksIn(0)).toBe(0);
  });

  it("for a provider that keeps nothing", async () => {
    await modelsOf(server.url).generate(ask(openModel, { messages: turns(1), tools }));
    expect(marksIn(0)).toBe(0);
  });
});
