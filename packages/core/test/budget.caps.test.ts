import { budgetCaps, capsChange, capsOf, tenantCaps } from "@baton/core/budget";
import { taskSettings } from "@baton/core/task";
import { describe, expect, it } from "vitest";

describe("caps", () => {
  it.each([
    [{ tokens: -1 }, "tokens"],
    [{ tokens: 0 }, "tokens"],
    [{ tokens: 1.5 }, "tokens"],
    [{ tokens: "many" }, "tokens"],
    [{ usd: Number.NaN }, "usd"],
    [{ usd: Number.POSITIVE_INFINITY }, "usd"],
    [{ usd: 0 }, "usd"],
    [{ usd: -0.01 }, "usd"],
    [{ modelCalls: -1 }, "modelCalls"],
    [{ toolCalls: 2.5 }, "toolCalls"],
    [{ wallMs: 0 }, "wallMs"],
    [{ dollars: 3 }, "dollars"],
  ])("refuse %j and name the field", (given, field) => {
    for (const schema of [budgetCaps, capsChange, tenantCaps]) {
      const { error } = schema.safeParse(given);
      expect(JSON.stringify(error?.issues)).toContain(field);
    }
  });

  it("of a tenant are of models alone", () => {
    expect(tenantCaps.safeParse({ toolCalls: 1 }).success).toBe(false);
    expect(tenantCaps.safeParse({ wallMs: 1 }).success).toBe(false);
  });

  it("may be taken away by a change, not at creation", () => {
    expect(capsChange.parse({ tokens: null, usd: 2 })).toEqual({ tokens: null, usd: 2 });
    expect(budgetCaps.safeParse({ tokens: null }).success).toBe(false);
  });
});

describe("a task's budget", () => {
  it("stops at a breach unless it says otherwise", () => {
    expect(taskSettings.parse({ budget: { tokens: 5 } }).budget).toEqual({ tokens: 5, onBreach: "stop" });
    const cheaper = { model: { provider: "p", model: "m" } };
    expect(taskSettings.parse({ budget: { usd: 1, onBreach: cheaper } }).budget?.onBreach).toEqual(cheaper);
    expect(taskSettings.safeParse({ budget: { onBreach: "panic" } }).success).toBe(false);
  });

  it("takes the smaller of tokens and maxTokens, its older name", () => {
    expect(capsOf(taskSettings.parse({}))).toBeUndefined();
    expect(capsOf(taskSettings.parse({ maxTokens: 7 }))).toEqual({ tokens: 7 });
    expect(capsOf(taskSettings.parse({ maxTokens: 7, budget: { tokens: 9, usd: 1 } }))).toEqual({ tokens: 7, usd: 1 });
    expect(capsOf(taskSettings.parse({ budget: { toolCalls: 3 } }))).toEqual({ toolCalls: 3 });
  });
});
