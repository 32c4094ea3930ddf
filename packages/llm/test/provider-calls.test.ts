import type { ModelRef } from "@baton/core/plan";
import { type ModelServer, type ModelServerScript, startModelServer } from "@baton/testing/model-server";
import { afterEach, describe, expect, it, vi } from "vitest";
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

const both: readonly ModelRef[] = [sonnet, openModel];
const schema = {
  type: "object",
  properties: { city: { type: "string" }, size: { type: "integer" } },
  required: ["city", "size"],
  additionalProperties: false,
};

describe.each(both)("$provider", (model) => {
  it("a whole answer carries text, usage and no delta", async () => {
    const { url, requests } = await serve({
      replies: [{ text: "Hello there.", usage: { inputTokens: 100, outputTokens: 20, cachedInputTokens: 0 } }],
    });
    const reply = await modelsOf(url).generate(ask(model, short));
    expect(reply).toMatchObject({ text: "Hello there.", finishReason: "stop", offline: false, model });
    expect(reply.usage).toEqual({ inputTokens: 100, outputTokens: 20, cachedInputTokens: 0, estimated: false });
    expect(requests.map((request) => request.stream)).toEqual([false]);
  });

  it("an answer that may be long is streamed even when nobody listens", async () => {
    const { url, requests } = await serve({
      fallback: { text: "Hello there.", usage: { inputTokens: 7, outputTokens: 2 } },
    });
    const replies = [await modelsOf(url).generate(ask(model)), await modelsOf(url).generate(ask(model, short))];
    expect(requests.map((request) => request.stream)).toEqual([true, false]);
    expect(replies.map(({ text, usage }) => ({ text, usage }))).toEqual(
      Array(2).fill({
        text: "Hello there.",
        usage: { inputTokens: 7, outputTokens: 2, cachedInputTokens: 0, estimated: false },
      }),
    );
  });

  it("deltas arrive in order while the answer is still being written", async () => {
    const chunks = ["a ", "b ", "c ", "d ", "e"];
    const { url, requests } = await serve({ replies: [{ chunks, chunkDelayMs: 5 }] });
    const heard: { text: string; ended: boolean }[] = [];
    const reply = await modelsOf(url).generate(
      ask(model, { onDelta: (text) => heard.push({ text, ended: requests[0]?.outcome !== "open" }) }),
    );
    expect(heard.map(({ text }) => text)).toEqual(chunks);
    expect(heard[0]?.ended).toBe(false);
    expect(reply.text).toBe(chunks.join(""));
    expect(reply.usage.estimated).toBe(false);
  });

  it("a length limit is told, not hidden", async () => {
    const { url } = await serve({ replies: [{ text: "half a", lengthLimited: true }] });
    await expect(modelsOf(url).generate(ask(model))).resolves.toMatchObject({ finishReason: "length" });
  });

  it.each([false, true])("an object comes back parsed (streamed: %s)", async (streamed) => {
    const { url, requests } = await serve({ replies: [{ object: { city: "Bern", size: 3 } }] });
    const reply = await modelsOf(url).generate(
      ask(model, { outputSchema: schema, ...(streamed ? { onDelta: () => {} } : short) }),
    );
    expect(reply.object).toEqual({ city: "Bern", size: 3 });
    expect(JSON.stringify(requests[0]?.body)).toContain('"json_schema"');
  });

  it.each(["hang before the first byte", "hang in mid-stream"])("abort during a %s closes the socket", async (when) => {
    const { url, requests } = await serve({
      replies: [
        { text: "one two three", fault: { kind: "hang", ...(when.includes("mid") ? { afterChunks: 2 } : {}) } },
      ],
    });
    const controller = new AbortController();
    const reason = new Error("the task was cancelled");
    const deltas: string[] = [];
    const onDelta = (text: string) => deltas.push(text);
    const call = modelsOf(url).generate(
      ask(model, { signal: controller.signal, ...(when.includes("mid") ? { onDelta } : short) }),
    );
    const outcome = expect(call).rejects.toBe(reason);
    await vi.waitFor(() => expect(when.includes("mid") ? deltas.length : requests.length).toBeGreaterThan(0), {
      timeout: 20_000,
    });
    const abortedAt = Date.now();
    controller.abort(reason);
    await outcome;
    await vi.waitFor(() => expect(requests[0]?.outcome).toBe("aborted"), { timeout: 20_000 });
    expect((requests[0]?.endedAt ?? 0) - abortedAt).toBeLessThan(2_000);
  });

  it("the limiter is asked once before the request goes out", async () => {
    const { url, requests } = await serve({ fallback: { text: "ok" } });
    const seen: [ModelRef, number][] = [];
    const limiter = { acquire: async (ref: ModelRef) => void seen.push([ref, requests.length]) };
    await modelsOf(url, { limiter }).generate(ask(model));
    expect(seen).toEqual([[model, 0]]);
  });

  it("a limiter that is aborted lets nothing out", async () => {
    const { url, requests } = await serve({ fallback: { text: "ok" } });
    const limiter = {
      acquire: (_ref: ModelRef, signal: AbortSignal) =>
        new Promise<void>((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error))),
    };
    const controller = new AbortController();
    const call = modelsOf(url, { limiter }).generate(ask(model, { signal: controller.signal }));
    controller.abort(new Error("stop"));
    await expect(call).rejects.toThrow("stop");
    expect(requests).toHaveLength(0);
  });
});

describe("cost", () => {
  it("is the price table's, cached tokens at their own price", async () => {
    const { url } = await serve({
      replies: [{ text: "x", usage: { inputTokens: 600_000, cachedInputTokens: 400_000, outputTokens: 100_000 } }],
    });
    const reply = await modelsOf(url).generate(ask(sonnet));
    expect(reply.usage).toMatchObject({ inputTokens: 1_000_000, cachedInputTokens: 400_000, outputTokens: 100_000 });
    expect(reply.costUsd).toBeCloseTo(0.6 * 2 + 0.4 * 0.1 + 0.1 * 10, 10);
  });

  it("uses the long-prompt price above its threshold", async () => {
    const { url } = await serve({
      replies: [100_000, 100_001].map((inputTokens) => ({ text: "x", usage: { inputTokens, outputTokens: 0 } })),
    });
    const models = modelsOf(url);
    const haiku = { provider: "anthropic", model: "claude-haiku-5-5" };
    expect((await models.generate(ask(haiku))).costUsd).toBeCloseTo(0.01, 10);
    expect((await models.generate(ask(haiku))).costUsd).toBeCloseTo(0.0500005, 10);
  });

  it("is null for a model without a price", async () => {
    const { url } = await serve({ replies: [{ text: "x" }] });
    expect((await modelsOf(url).generate(ask(openModel))).costUsd).toBeNull();
  });
});

describe("names", () => {
  it("an old model id is answered by the current model of its class", async () => {
    const { url, requests } = await serve({ fallback: { text: "x" } });
    const models = modelsOf(url);
    const reply = await models.generate(ask({ provider: "anthropic", model: "claude-3-5-sonnet-20241022" }));
    expect(reply.model).toEqual(sonnet);
    expect(requests[0]?.body["model"]).toBe(sonnet.model);
  });

  it("a configured alias goes before the built-in one, and no model means the default", () => {
    const models = modelsOf("http://127.0.0.1:9", { aliases: { "anthropic/claude-3-5-sonnet-20241022": openModel } });
    expect(models.resolve({ provider: "anthropic", model: "claude-3-5-sonnet-20241022" })).toEqual(openModel);
    expect(models.resolve(undefined)).toEqual(sonnet);
  });

  it("an unknown model is refused with what is known", () => {
    const models = modelsOf("http://127.0.0.1:9");
    expect(() => models.resolve({ provider: "anthropic", model: "gpt-9" })).toThrow(
      /gpt-9 is not known.*claude-sonnet-5-5/,
    );
    expect(() => models.resolve({ provider: "nowhere", model: "x" })).toThrow(/nowhere\/x is not known/);
    const keyless = modelsOf("http://127.0.0.1:9", { providers: { offline: { latencyMs: 0 } } });
    expect(() => keyless.resolve(sonnet)).toThrow(/ANTHROPIC_API_KEY/);
  });

  it("every listed model resolves to itself", () => {
    const models = modelsOf("http://127.0.0.1:9");
    for (const { ref, contextWindow } of models.list()) {
      expect(models.resolve(ref)).toEqual(ref);
      expect(contextWindow).toBeGreaterThan(1_000);
    }
  });
});

describe("counting tokens", () => {
  const messages = [
    { role: "system", content: "Be brief." },
    { role: "user", content: "How many?" },
  ] as const;
  const { signal } = new AbortController();

  it("is exact on the Anthropic path when near the limit, over the count endpoint", async () => {
    const { url, requests } = await serve({ countedTokens: 321 });
    expect(await modelsOf(url).countTokens(sonnet, messages, true, signal)).toEqual({ tokens: 321, exact: true });
    expect(requests.map(({ path }) => path)).toEqual(["/v1/messages/count_tokens"]);
    expect(requests[0]?.body).toMatchObject({
      system: "Be brief.",
      messages: [{ role: "user", content: "How many?" }],
    });
  });

  it("is an estimate elsewhere and when far from it, without a request", async () => {
    const { url, requests } = await serve({});
    expect((await modelsOf(url).countTokens(sonnet, messages, false, signal)).exact).toBe(false);
    expect((await modelsOf(url).countTokens(openModel, messages, true, signal)).exact).toBe(false);
    expect(requests).toHaveLength(0);
  });

  it("a failing count is classified like any call, after one request", async () => {
    const { url, requests } = await serve({});
    await (server as ModelServer).close();
    server = undefined;
    await expect(modelsOf(url).countTokens(sonnet, messages, true, signal)).rejects.toMatchObject({
      code: "provider-unavailable",
    });
    expect(requests).toHaveLength(0);
  });
});
