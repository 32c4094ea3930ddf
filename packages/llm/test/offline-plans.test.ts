import { validatePlan } from "@baton/core/graph";
import { type PlanSpec, planSpec } from "@baton/core/plan";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { families } from "../src/offline/families/index.ts";
import { readGoal } from "../src/offline/goal.ts";
import { plan, reason, tools } from "./offline.fixture.ts";

async function valid(goal: string): Promise<PlanSpec> {
  const { object, offline } = await plan(goal);
  expect(offline).toBe(true);
  const parsed = planSpec.parse(object);
  const knownTools = new Set(tools.map(({ name }) => name));
  expect(validatePlan(parsed, { maxSteps: 50, knownTools })).toEqual([]);
  return parsed;
}

describe("families of goals", () => {
  it("are at least twelve, each with its own name and documented", () => {
    const readme = readFileSync(new URL("../src/offline/README.md", import.meta.url), "utf8");
    expect(families.length).toBeGreaterThanOrEqual(12);
    expect(new Set(families.map(({ id }) => id)).size).toBe(families.length);
    expect(
      families.filter(({ id, example }) => !readme.includes(`\`${id}\``) || !readme.includes(example.slice(0, 60))),
    ).toEqual([]);
  });

  it.each(families.map((family) => [family.id, family] as const))(
    "%s plans its example, and every expression in it may run",
    async (_id, family) => {
      const goal = readGoal(family.example);
      expect(families.find((each) => each.matches(goal))?.id).toBe(family.id);
      const planned = await valid(family.example);
      const used = planned.steps.flatMap((step) =>
        step.type === "tool" ? [step.tool] : step.type === "map" && step.step.type === "tool" ? [step.step.tool] : [],
      );
      expect(new Set(used)).toEqual(new Set(family.needs(goal)));
      expect(await valid(family.example)).toEqual(planned);
    },
  );

  it.each(families.map((family) => [family.id, family] as const))(
    "%s names the tool it misses",
    async (_id, family) => {
      for (const missing of family.needs(readGoal(family.example))) {
        const offered = tools.filter(({ name }) => name !== missing);
        await expect(plan(family.example, offered)).rejects.toMatchObject({
          code: "offline-cannot-plan",
          message: expect.stringContaining(missing),
        });
      }
    },
  );
});

describe("goals in other words", () => {
  it.each([
    [
      "Read every Markdown file below ./docs, summarise each one, and write a report that lists the decisions they contain",
      "decisions",
      "docs/**/*.md",
    ],
    [
      "Read every Markdown file below /srv/project/docs, summarise each one, and write a report that lists the decisions they contain",
      "decisions",
      "**/*.md",
    ],
    ["Read every Markdown file below this folder and list the decisions", "decisions", "**/*.md"],
    ["What decisions were made in the notes folder?", "decisions", "notes/**/*.{md,markdown,txt,rst,adoc}"],
    ["Which TODOs are left in the TypeScript files under packages/core?", "tasks", "packages/core/**/*.ts"],
    ["Give me a tl;dr of each document in docs", "summaries-of-files", "docs/**/*.{md,markdown,txt,rst,adoc}"],
    ["Summarize all .txt files", "summaries-of-files", "**/*.txt"],
    ["How many words are in the files matching docs/*.md?", "count", "docs/*.md"],
    ["Concatenate every text file in minutes/ into one", "merge", "minutes/**/*.txt"],
    ["Merge all Markdown files in docs/decisions into one file", "merge", "docs/decisions/**/*.md"],
    ["Summarise docs/translate.md and docs/design.md", "summaries-of-files", "item"],
    ["Show the 5 most recent files", "ranking", "**/*"],
    ["List every date and every link in the markdown files of docs", "references", "docs/**/*.md"],
  ])("%s → %s", async (goal, family, pattern) => {
    expect(families.find((each) => each.matches(readGoal(goal)))?.id).toBe(family);
    const planned = await valid(goal);
    expect(JSON.stringify(planned.steps[0])).toContain(JSON.stringify(pattern));
  });

  it("named files are read as named, without a listing", async () => {
    const planned = await valid("Summarise README.md, docs/a.md and ./docs/b.txt");
    expect(planned.steps[0]).toMatchObject({ type: "map", over: ["README.md", "docs/a.md", "docs/b.txt"] });
  });

  it("no first plan names a file that the goal does not name", async () => {
    const planned = await valid(
      "Read every Markdown file below docs, summarise each one, and write a report that lists the decisions they contain",
    );
    expect(planned.steps.map(({ id, type }) => `${id}:${type}`)).toEqual([
      "list:tool",
      "read:map",
      "extracts:map",
      "decisions:map",
      "report:llm",
      "keep:tool",
    ]);
  });
});

describe("what rules cannot plan", () => {
  it.each([
    "Translate README.md into German",
    "Write a poem about the files in docs",
    "Book a flight to Lisbon",
    "Refactor the TypeScript files below src",
    "hello",
    "Recommend which of the documents in docs we should delete",
  ])("%s is refused, and says what is possible", async (goal) => {
    await expect(plan(goal)).rejects.toMatchObject({
      code: "offline-cannot-plan",
      message: expect.stringContaining("list the decisions that files contain"),
    });
  });
});

it("a text in the goal is worked on from the goal, however long", async () => {
  const goal = `Summarise this text: ${"We keep every result in PostgreSQL. ".repeat(2_500)}`;
  const planned = await valid(goal);
  expect(planned.steps[0]).toMatchObject({ type: "llm", prompt: { $cel: "goal" } });
  expect(await reason(goal, {})).toBe("[offline model]\n\n- We keep every result in PostgreSQL.");
});
