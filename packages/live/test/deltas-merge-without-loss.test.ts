import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { mergeDeltas } from "../src/merge.ts";

describe("merging deltas", () => {
  const delta = fc.record({
    step: fc.constantFrom("a", "b"),
    kind: fc.constantFrom("token", "note"),
    delta: fc.string(),
  });

  it("keeps every text in order, whatever is merged", () => {
    fc.assert(
      fc.property(fc.array(delta), (published) => {
        const sent: Record<string, unknown>[] = [];
        for (const next of published) {
          const merged = mergeDeltas(sent.at(-1), next);
          if (merged === undefined) sent.push(next);
          else sent[sent.length - 1] = { ...merged };
        }
        const spelled = (list: readonly Record<string, unknown>[]) =>
          list.flatMap(({ step, kind, delta: text }) =>
            [...String(text)].map((letter) => `${String(step)}${String(kind)}${letter}`),
          );
        expect(spelled(sent)).toEqual(spelled(published));
      }),
    );
  });

  it("merges only when every other field is the same value", () => {
    expect(mergeDeltas({ step: "a", delta: "x" }, { step: "a", delta: "y" })).toEqual({ step: "a", delta: "xy" });
    expect(mergeDeltas({ step: "a", delta: "x" }, { step: "b", delta: "y" })).toBeUndefined();
    expect(mergeDeltas({ delta: "x" }, { step: undefined, delta: "y" })).toBeUndefined();
    expect(mergeDeltas({ at: {}, delta: "x" }, { at: {}, delta: "y" })).toBeUndefined();
    expect(mergeDeltas({ delta: 1 }, { delta: 2 })).toBeUndefined();
    expect(mergeDeltas(["x"], ["y"])).toBeUndefined();
    expect(mergeDeltas(undefined, { delta: "x" })).toBeUndefined();
  });
});
