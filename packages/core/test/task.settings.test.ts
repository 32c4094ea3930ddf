import { taskSettings } from "@baton/core/task";
import { describe, expect, it } from "vitest";

describe("a task's settings", () => {
  it("are complete when nothing is set", () => {
    expect(taskSettings.parse({})).toEqual({
      maxSteps: 50,
      contextWindowLimit: 100_000,
      checkpointInterval: 5,
      maxPlanRevisions: 5,
      evaluate: true,
      priority: 0,
    });
  });

  it("are stable: what was parsed parses to itself", () => {
    const given = { maxTokens: 5, model: { provider: "p", model: "m" }, retry: { max_attempts: 2 }, tools: ["a"] };
    const parsed = taskSettings.parse(given);
    expect(parsed).toMatchObject(given);
    expect(taskSettings.parse(parsed)).toEqual(parsed);
  });

  it.each([
    [{ concurency: 1 }, "concurency"],
    [{ concurrency: 0 }, "concurrency"],
    [{ maxSteps: 1.5 }, "maxSteps"],
    [{ priority: 101 }, "priority"],
    [{ model: { provider: "p" } }, "model"],
  ])("refuse %j and name the field", (given, field) => {
    const { error } = taskSettings.safeParse(given);
    expect(JSON.stringify(error?.issues)).toContain(field);
  });
});
