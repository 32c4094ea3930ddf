import { batchesOf, condenseMaterial, createBudget, renderMaterial, summarySoFar } from "@baton/core/context";
import type { ModelMessage } from "@baton/core/ports";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

const model = { provider: "p", model: "m" };
const signal = new AbortController().signal;

/** One token for four characters; asked exactly, one more. */
function budgetOf(contextWindowLimit: number, contextWindow?: number) {
  const exact: number[] = [];
  const models = {
    list: () => (contextWindow === undefined ? [] : [{ ref: model, contextWindow, offline: false, fast: false }]),
    countTokens: (_: unknown, messages: readonly ModelMessage[], isExact: boolean) => {
      const tokens = Math.ceil(messages.reduce((sum, { content }) => sum + content.length, 0) / 4) + (isExact ? 1 : 0);
      if (isExact) exact.push(tokens);
      return Promise.resolve({ tokens, estimated: !isExact });
    },
  } as unknown as Parameters<typeof createBudget>[0];
  return { budget: createBudget(models, model, contextWindowLimit, signal), exact };
}

describe("a budget", () => {
  it("is 80 % of the setting, or of the model's window when that is smaller", () => {
    expect(budgetOf(1_000).budget).toMatchObject({ limit: 1_000, usable: 800 });
    expect(budgetOf(1_000, 500).budget).toMatchObject({ limit: 500, usable: 400 });
    expect(budgetOf(1_000, 5_000).budget).toMatchObject({ limit: 1_000, usable: 800 });
  });

  it("asks for an exact count from 60 % on, not before", async () => {
    const { budget, exact } = budgetOf(100);
    expect(await budget.count([{ role: "user", content: "x".repeat(4 * 59) }])).toBe(59);
    expect(exact).toEqual([]);
    expect(await budget.count([{ role: "user", content: "x".repeat(4 * 60) }])).toBe(61);
    expect(exact).toEqual([61]);
  });

  it("cuts to a beginning that fits, at a boundary where one is near, and never within a character", async () => {
    const { budget } = budgetOf(1_000);
    expect(await budget.cut("short", 100)).toBe("short");
    const text = `${"word ".repeat(20)}\n\n${"more ".repeat(40)}`;
    expect(await budget.cut(text, 30)).toBe(`${"word ".repeat(20)}\n\n`);
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: "binary", maxLength: 300 }),
        fc.integer({ min: 1, max: 40 }),
        async (any, tokens) => {
          const kept = await budget.cut(any, tokens);
          expect(any.startsWith(kept)).toBe(true);
          expect(await budget.estimate(kept)).toBeLessThanOrEqual(tokens);
          expect(kept.isWellFormed()).toBe(true);
        },
      ),
    );
  });
});

describe("material in batches", () => {
  it("is all there, in order, however small the room", async () => {
    const { budget } = budgetOf(1_000);
    const texts = fc.array(fc.string({ minLength: 1, maxLength: 200, unit: "grapheme" }), { maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(texts, fc.integer({ min: 31, max: 200 }), async (drawn, room) => {
        const pieces: string[] = [];
        for await (const batch of batchesOf(
          drawn.map((text) => ({ name: "n", text })),
          room,
          budget,
        )) {
          pieces.push(...batch.map(({ text }) => text));
        }
        expect(pieces.join("")).toBe(drawn.join(""));
      }),
      { numRuns: 50 },
    );
  });

  it("shows as tagged text, and as nothing when there is none", () => {
    expect(renderMaterial([])).toBe("");
    expect(renderMaterial([{ name: 'a "b"', text: "t" }])).toBe(
      '\n\nMaterial:\n\n<material name="a \\"b\\"">\nt\n</material>',
    );
  });
});

describe("condensing", () => {
  const reply = (text: string, finishReason = "stop") =>
    ({ text, finishReason, offline: true }) as unknown as Awaited<
      ReturnType<Parameters<typeof condenseMaterial>[0]["generate"]>
    >;
  const request = (
    goal: string,
    sizes: readonly number[],
    generate: Parameters<typeof condenseMaterial>[0]["generate"],
  ) => ({
    goal,
    material: sizes.map((size, index) => ({ name: `n${index}`, text: "word ".repeat(size) })),
    maxTokens: 1_000,
    model,
    budget: budgetOf(1_000).budget,
    generate,
  });

  it("goes on from the summary so far, keeps to its length, and counts its calls", async () => {
    const seen: string[][] = [];
    const summary = await condenseMaterial(
      request("a goal", [300, 300, 300], (_, { brief }) => {
        if (brief.kind === "summarize") seen.push(brief.material.map(({ name }) => name));
        return Promise.resolve(reply("long ".repeat(2_000)));
      }),
    );
    expect(seen.length).toBeGreaterThan(1);
    for (const [index, names] of seen.entries()) expect(names.includes(summarySoFar)).toBe(index > 0);
    expect(summary).toMatchObject({ offline: true, callCount: seen.length });
    expect(summary.tokensAfter).toBeLessThanOrEqual(266);
    expect(summary.tokensBefore).toBeGreaterThan(1_000);
  });

  it("makes no call without material", async () => {
    expect(await condenseMaterial(request("a goal", [], () => Promise.reject(new Error("called"))))).toEqual({
      text: "",
      tokensBefore: 0,
      tokensAfter: 0,
      offline: true,
      callCount: 0,
    });
  });

  it("says so when the goal leaves no room, and when the model refuses", async () => {
    const never = () => Promise.reject(new Error("called"));
    await expect(condenseMaterial(request("goal ".repeat(500), [10], never))).rejects.toMatchObject({
      code: "context-too-large",
    });
    const refuse = () => Promise.resolve(reply("", "refusal"));
    await expect(condenseMaterial(request("a goal", [10], refuse))).rejects.toMatchObject({ code: "model-refused" });
  });
});
