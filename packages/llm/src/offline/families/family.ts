/**
 * A family of goals that can be planned by rules, and the steps that plans are made of.
 *
 * 1. A plan names no file that the goal does not name: a step finds them.
 * 2. Only tools that the request offers are used; `needs` says which a family cannot do without.
 * 3. What CEL reads of an llm step has the schema `{text}`; other llm steps feed later llm steps.
 */
import type { ItemStep, PlanSpec, StepSpec } from "@baton/core/plan";
import type { Goal } from "../goal.ts";

export interface Family {
  readonly id: string;
  /** One line for people, as in "I can …". */
  readonly can: string;
  readonly example: string;
  readonly needs: (goal: Goal) => readonly string[];
  readonly matches: (goal: Goal) => boolean;
  readonly plan: (goal: Goal) => PlanSpec;
}

export const cel = (expression: string) => ({ $cel: expression });
export const literal = (text: string): string => JSON.stringify(text);

const textAnswer = {
  type: "object",
  properties: { text: { type: "string" } },
  required: ["text"],
  additionalProperties: false,
} as const;

export function tool(
  id: string,
  name: string,
  args: Record<string, unknown>,
  description: string,
  after: readonly string[] = [],
): StepSpec {
  return {
    id,
    type: "tool",
    tool: name,
    arguments: args,
    description,
    ...(after.length === 0 ? {} : { depends_on: [...after] }),
  };
}

/** An llm step whose output is `{text}`. */
export function text(id: string, prompt: string, description: string, after: readonly string[]): StepSpec {
  return { id, type: "llm", prompt, description, output_schema: textAnswer, depends_on: [...after] };
}

export function eachItem(
  id: string,
  over: string,
  step: ItemStep,
  description: string,
  after: readonly string[],
): StepSpec {
  return { id, type: "map", over: cel(over), step, description, depends_on: [...after] };
}

/** Finds the files, or takes those the goal names, and reads each one: the last step is the map `read`. */
export function readFiles(goal: Goal): readonly StepSpec[] {
  const readOne = (path: string): ItemStep => ({
    type: "tool",
    tool: "files.read",
    arguments: { path: cel(path) },
    description: "Read one file",
  });
  if (goal.files.length > 0) {
    const description = goal.files.length === 1 ? `Read ${goal.files[0]}` : `Read ${goal.files.length} files`;
    return [{ id: "read", type: "map", over: [...goal.files], step: readOne("item"), description }];
  }
  return [
    tool("list", "files.list", { pattern: goal.pattern }, `Find the files ${goal.pattern}`),
    eachItem("read", "steps.list.output.files", readOne("item.path"), "Read every file found", ["list"]),
  ];
}

const readingTools = (goal: Goal): readonly string[] =>
  goal.files.length > 0 ? ["files.read"] : ["files.list", "files.read"];

/** One llm call per file that was read. */
function perFile(id: string, prompt: string, description: string): StepSpec {
  return eachItem(id, "steps.read.output", { type: "llm", prompt, description: prompt }, description, ["read"]);
}

/** Keeps a text as the task's artifact. */
export function keep(name: string, content: string, after: string): StepSpec {
  return tool("keep", "artifact.write", { name, content: cel(content) }, `Keep ${name}`, [after]);
}

/** Read, find something in every file, and write it down. */
export function collection(
  goal: Goal,
  finds: readonly { id: string; prompt: string; description: string }[],
  file: string,
): PlanSpec {
  const ids = finds.map(({ id }) => id);
  return {
    steps: [
      ...readFiles(goal),
      ...finds.map(({ id, prompt, description }) => perFile(id, prompt, description)),
      text("report", `Write a report over the ${ids.join(" and the ")} of every file.`, "Write the report", ids),
      keep(file, "steps.report.output.text", "report"),
    ],
    result: cel("steps.report.output.text"),
  };
}

export const collectionTools = (goal: Goal): readonly string[] => [...readingTools(goal), "artifact.write"];
