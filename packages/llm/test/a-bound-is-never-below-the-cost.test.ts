import { startModelServer } from "@baton/testing/model-server";
import type { ModelServer } from "@baton/testing/model-server";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { costUsd } from "../src/catalogue/entry.ts";
import { boundOf } from "../src/bound.ts";
import { ask, modelsOf, openModel, sonnet } from "./models.fixture.ts";

let server: ModelServer;
beforeAll(async () => {
  server = await startModelServer({ fallback: { text: "Yes." }, countedTokens: 40 });
});
afterAll(() => server?.close());

const price = fc.record({
  input: fc.nat(100),
  cachedInput: fc.constant(0),
  cacheWrite: fc.nat(200),
  output: fc.nat(100),
});
const tools = [{ name: "t", description: "x".repeat(5_000), inputSchema: { type: "object" } }];
const entry = fc.record({
  id: fc.constant("m"),
  contextWindow: fc.integer({ min: 1_000, max: 1_000_000 }),
  price,
  longPrompt: fc.record({ inputTokens: fc.nat(200_000), price }),
});

describe("a bound", () => {
  it("costs at least what the call does that has the counted input and an answer of at most its length", () => {
    fc.assert(
      fc.property(
        entry,
        fc.nat(300_000),
        fc.nat(100_000),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.boolean(),
        (model, input, output, share, keeps) => {
          const dear = { ...model, longPrompt: { ...model.longPrompt, price: { ...model.longPrompt.price } } };
          const request = ask(openModel, { maxOutputTokens: output, ...(keeps && { tools }) });
          const bound = boundOf(request, dear, { tokens: input, exact: true });
          const usage = {
            inputTokens: input,
            outputTokens: Math.floor(output * share),
            cachedInputTokens: 0,
            cacheWriteTokens: keeps ? Math.floor(input * share) : 0,
            estimated: false,
          };
          const most = (bound.price?.inputUsd ?? 0) + bound.maxOutputTokens * (bound.price?.usdPerOutputToken ?? 0);
          expect(most + 1e-9).toBeGreaterThanOrEqual(costUsd(dear, usage) ?? 0);
        },
      ),
    );
  });

  it("takes the price of a long prompt before an estimate comes near it", () => {
    const cheap = { input: 1, cachedInput: 0, output: 1 };
    const model = {
      id: "m",
      contextWindow: 1_000_000,
      price: cheap,
      longPrompt: { inputTokens: 100_000, price: { ...cheap, input: 5 } },
    };
    const usd = (tokens: number, exact: boolean) => boundOf(ask(openModel), model, { tokens, exact }).price?.inputUsd;
    expect(usd(90_000, true)).toBe(0.09);
    expect(usd(90_000, false)).toBe(0.45);
    expect(usd(100_001, true)).toBe(0.500_005);
  });

  it("counts tools and a schema, asks the provider when it shall be exact, and names what the model can write", async () => {
    const models = modelsOf(server.url);
    const plain = await models.bound(ask(sonnet), false);
    expect(plain).toMatchObject({
      model: sonnet,
      offline: false,
      exact: false,
      maxOutputTokens: 128_000,
      price: { usdPerOutputToken: 0.000_01 },
    });
    const tool = { name: "t", description: "x".repeat(300), inputSchema: { type: "object" } };
    expect((await models.bound(ask(sonnet, { tools: [tool] }), false)).inputTokens).toBeGreaterThan(
      plain.inputTokens + 400,
    );
    expect((await models.bound(ask(sonnet, { outputSchema: { type: "object" } }), false)).inputTokens).toBeGreaterThan(
      plain.inputTokens,
    );
    expect(await models.bound(ask(sonnet, { maxOutputTokens: 7 }), true)).toMatchObject({
      inputTokens: 40,
      exact: true,
      maxOutputTokens: 7,
    });
    expect(await models.bound(ask(openModel), true)).toMatchObject({ exact: false, price: null });
  });

  it("leaves room for the prompt in a window, and believes in a larger one when the prompt does not fit", async () => {
    const models = modelsOf(server.url);
    const bound = (chars: number) =>
      models.bound(ask(openModel, { messages: [{ role: "user", content: "x".repeat(chars) }] }), false);
    for (const chars of [10, 9_000, 20_000, 24_000]) {
      const { inputTokens, maxOutputTokens } = await bound(chars);
      expect(maxOutputTokens).toBeGreaterThan(0);
      expect(inputTokens + maxOutputTokens).toBeLessThanOrEqual(8_192);
    }
    expect((await bound(60_000)).maxOutputTokens).toBe(4_096);
  });

  it("of the offline model is known too, and costs nothing", async () => {
    const offline = { provider: "offline", model: "offline-rules" };
    expect(await modelsOf(server.url).bound(ask(offline), true)).toMatchObject({ offline: true, price: null });
  });
});

describe("a request", () => {
  it("says when it leaves, and a server that nobody reaches was sent nothing", async () => {
    let sent = 0;
    const onSend = () => void sent++;
    await modelsOf(server.url).generate(ask(sonnet, { onSend }));
    expect(sent).toBe(1);
    const gone = await startModelServer({});
    await gone.close();
    const nobody = modelsOf(gone.url).generate(ask(openModel));
    await expect(nobody).rejects.toMatchObject({ code: "provider-unavailable", details: { sent: false } });
  });
});
