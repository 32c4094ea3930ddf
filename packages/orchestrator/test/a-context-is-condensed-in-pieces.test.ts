import { describe, expect, it } from "vitest";
import { batchesOf, createBudget, renderMaterial } from "@baton/core/context";
import type { ModelPort } from "@baton/core/ports";
import fc from "fast-check";
import { offlineRef } from "@baton/llm";
import { summarizeContext } from "../src/index.ts";
import { offline, promptOf, scripted } from "./models.fixture.ts";

const goal = "Prepare the move to the new data centre";
const limit = 2_000;
const isCall = ({ path }: { readonly path: string }): boolean => path === "/v1/messages";

describe("a context larger than a prompt", () => {
  it("is condensed piece by piece: goal and summary so far in every prompt, none over the limit", async () => {
    const { models, server } = await scripted({
      handler: () => ({ text: `Summary number ${server.requests.filter(isCall).length}.` }),
    });
    const material = Array.from({ length: 10 }, (_, index) => ({
      name: `step${index}`,
      text: `Fact ${index}. ${"lorem ipsum dolor ".repeat(85)}`,
    }));
    const summary = await summarizeContext(material, { models, goal, contextWindowLimit: limit, maxTokens: 300 });
    const prompts = server.requests.filter(isCall).map(promptOf);
    expect(prompts.length).toBeGreaterThan(3);
    for (const [index, prompt] of prompts.entries()) {
      expect(prompt).toContain(goal);
      expect(prompt.length / 4).toBeLessThanOrEqual(limit * 0.8);
      if (index > 0) expect(prompt).toContain(`Summary so far`);
      if (index > 0) expect(prompt).toContain(`Summary number ${index}.`);
    }
    const all = prompts.join("\n");
    for (const { text } of material) expect(all).toContain(text.slice(0, 10));
    expect(summary).toMatchObject({
      text: `Summary number ${prompts.length}.`,
      offline: false,
      callCount: prompts.length,
    });
    expect(summary.tokensBefore).toBeGreaterThan(summary.tokensAfter);
    expect(summary.traces.at(-1)).toMatchObject({ type: "context-summarised", data: { offline: false } });
  });

  it("takes messages by their roles, and a summary longer than asked is cut", async () => {
    const { models, server } = await scripted({ fallback: { text: "A long sentence about it. ".repeat(200) } });
    const messages = [
      { role: "user" as const, content: "When do we move?" },
      { role: "assistant" as const, content: "In May." },
    ];
    const summary = await summarizeContext(messages, { models, goal, maxTokens: 50 });
    expect(summary.tokensAfter).toBeLessThanOrEqual(50);
    expect(promptOf(server.requests[0])).toMatch(/user[\s\S]*When do we move\?[\s\S]*assistant[\s\S]*In May\./);
  });
});

it("nothing to condense is no call", async () => {
  const { models, server } = await scripted({});
  const summary = await summarizeContext([], { models, goal });
  expect(summary).toEqual({ text: "", tokensBefore: 0, tokensAfter: 0, offline: true, callCount: 0, traces: [] });
  expect(server.requests).toHaveLength(0);
});

it("no material is no section of a prompt", () => expect(renderMaterial([])).toBe(""));

it("a goal that leaves no room is context-too-large, and a refusal is model-refused", async () => {
  const { models } = await scripted({ fallback: { fault: { kind: "refusal" } } });
  const material = [{ name: "a", text: "text" }];
  await expect(
    summarizeContext(material, { models, goal: "long ".repeat(2_000), contextWindowLimit: limit }),
  ).rejects.toMatchObject({ code: "context-too-large" });
  await expect(summarizeContext(material, { models, goal })).rejects.toMatchObject({ code: "model-refused" });
  const refusing: ModelPort = {
    ...offline,
    generate: async (request) => ({ ...(await offline.generate(request)), finishReason: "refusal" }),
  };
  await expect(summarizeContext(material, { models: refusing, goal })).rejects.toMatchObject({ code: "model-refused" });
});

it("the offline model's summary is labelled and stands in the source", async () => {
  const text = "We chose PostgreSQL for the store. It rained on Tuesday. The migration begins in May. ".repeat(3);
  const summary = await summarizeContext([{ name: "notes", text }], { models: offline, goal, maxTokens: 200 });
  expect(summary.offline).toBe(true);
  expect(summary.text).toMatch(/^\[offline model\]/);
});

it("pieces hold every character in order, and each fits its room", async () => {
  const signal = new AbortController().signal;
  const budget = createBudget(offline, offlineRef, 1_000, signal);
  const piece = fc.record({
    name: fc.constantFrom("a", "b"),
    text: fc.oneof(fc.string({ unit: "grapheme", maxLength: 300 }), fc.lorem({ maxCount: 60 })),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 6 }), fc.integer({ min: 45, max: 200 }), async (material, room) => {
      let read = "";
      for await (const batch of batchesOf(material, room, budget)) {
        read += batch.map(({ text }) => text).join("");
        for (const { text } of batch) expect(text.isWellFormed()).toBe(true);
        expect(batch.length).toBeGreaterThan(0);
      }
      expect(read).toBe(material.map(({ text }) => text).join(""));
    }),
    { numRuns: 60 },
  );
});
