import path from "node:path";
import { describe, expect, test } from "vitest";
import { compareGenerated } from "../generated/generation.ts";
import { type LifecyclePage, lifecyclePages, stepPage, taskPage } from "../generated/lifecycle-pages.ts";

const root = path.resolve(import.meta.dirname, "../..");
const named = async (task: LifecyclePage, step: LifecyclePage) =>
  (await compareGenerated(root, [lifecyclePages(task, step)])).map(({ file, kind }) => `${kind} ${file}`);

describe("the pages of docs/lifecycle", () => {
  test("say what the tables say", async () => {
    expect(await named(taskPage, stepPage)).toEqual([]);
  });

  test("are named when a row, a guard or a state was edited and nobody generated them anew", async () => {
    const [first, ...rows] = stepPage.rows;
    expect(await named(taskPage, { ...stepPage, rows })).toEqual(["changed docs/lifecycle/step.md"]);
    expect(await named(taskPage, { ...stepPage, rows: [{ ...first!, guard: "none" }, ...rows] })).toEqual([
      "changed docs/lifecycle/step.md",
    ]);
    const states = { ...taskPage.states, dreaming: "live" } as const;
    expect(await named({ ...taskPage, states }, stepPage)).toEqual(["changed docs/lifecycle/task.md"]);
  });
});
