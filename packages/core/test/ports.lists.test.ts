import { defaultTimeoutMs, stepSpec } from "@baton/core/plan";
import { failPoints, stepTypes, toolEffects } from "@baton/core/ports";
import { describe, expect, it } from "vitest";

describe("the lists of the ports", () => {
  it.each([
    ["stepTypes", stepTypes],
    ["toolEffects", toolEffects],
    ["failPoints", failPoints],
  ])("%s names each thing once", (_, list: readonly string[]) => {
    expect(list).toEqual([...new Set(list)]);
  });

  it("know every step type that a plan may use, each with a deadline", () => {
    for (const option of stepSpec.options) expect(stepTypes).toContain(option.shape.type.value);
    expect(Object.keys(defaultTimeoutMs).sort()).toEqual([...stepTypes].sort());
  });
});
