/**
 * What keeps a plan that a model wrote from running, beyond its shape.
 *
 * 1. The graph, the expressions and the tools are core's to judge; here stands what only a model gets wrong.
 * 2. A first plan names no file that neither the goal nor the input names: a step finds it.
 * 3. Where and on what a step runs is not the model's choice: a pool is refused, a model must exist.
 */
import { BatonError } from "@baton/core";
import { validatePlan } from "@baton/core/graph";
import { findUnstorable } from "@baton/core/json";
import type { ItemStep, PlanSpec, StepSpec } from "@baton/core/plan";
import type { ModelPort, ToolSummary } from "@baton/core/ports";
import { isRecord } from "./draft.ts";

export interface PlanRules {
  readonly maxSteps: number;
  readonly tools: readonly ToolSummary[];
  readonly models: Pick<ModelPort, "resolve">;
  /** Ids that the task has already and that may be depended on. */
  readonly existingSteps?: ReadonlySet<string>;
  /** Ids that are Baton's own and that nothing may depend on. */
  readonly reservedIds?: ReadonlySet<string>;
  /** Texts that may be the source of a file's name; absent: not checked. */
  readonly seen?: readonly string[];
}

export function planProblems(plan: PlanSpec, rules: PlanRules): readonly string[] {
  const unstorable = findUnstorable(plan);
  if (unstorable !== undefined) return ["The plan contains a NUL character or half of a surrogate pair. Leave it out."];
  const { maxSteps, existingSteps, tools } = rules;
  const structure = validatePlan(plan, {
    maxSteps,
    knownTools: new Set(tools.map(({ name }) => name)),
    ...(existingSteps !== undefined && { existingSteps }),
  });
  return [
    ...structure.map(({ message }) => message),
    ...plan.steps.slice(0, maxSteps).flatMap((step) => stepProblems(step, rules)),
  ];
}

function stepProblems(step: StepSpec, rules: PlanRules): readonly string[] {
  const inner = step.type === "map" ? step.step : step;
  const problems = [...choiceProblems(step, rules), ...(inner === step ? [] : choiceProblems(inner, rules))];
  if (rules.reservedIds?.has(step.id) === true)
    problems.push(`the id "${step.id}" is taken by Baton's own step. Choose another one`);
  if (inner.type === "tool") problems.push(...argumentProblems(inner, rules));
  if (step.type === "map" && Array.isArray(step.over)) problems.push(...unseenFiles(step.over, fileName, rules));
  return problems.map((problem) => `Step "${step.id}": ${problem}.`);
}

function choiceProblems(step: StepSpec | ItemStep, { models }: PlanRules): string[] {
  const problems = step.pool === undefined ? [] : [`leave "pool" out`];
  if (step.type !== "llm") return problems;
  if (step.fallback_models !== undefined) problems.push(`leave "fallback_models" out`);
  if (step.model === undefined) return problems;
  try {
    models.resolve(step.model);
  } catch (error) {
    if (!(error instanceof BatonError)) throw error;
    problems.push(`${error.message} Or leave "model" out`);
  }
  return problems;
}

type ToolStep = Extract<StepSpec | ItemStep, { type: "tool" }>;

function argumentProblems(step: ToolStep, rules: PlanRules): string[] {
  const summary = rules.tools.find(({ name }) => name === step.tool);
  const given = step.arguments ?? {};
  if (summary === undefined || "$cel" in given) return [];
  const { properties, required, additionalProperties } = summary.inputSchema;
  const known = Object.keys(isRecord(properties) ? properties : {});
  const problems: string[] = [];
  for (const name of Array.isArray(required) ? required : []) {
    if (!Object.hasOwn(given, String(name))) problems.push(`the tool "${step.tool}" needs the argument "${name}"`);
  }
  for (const name of additionalProperties === false ? Object.keys(given) : []) {
    if (known.includes(name)) continue;
    problems.push(`the tool "${step.tool}" has no argument "${name}"; it takes ${known.join(", ") || "none"}`);
  }
  if (summary.effect !== "read") return problems;
  const paths = Object.entries(given).flatMap(([name, value]) => (pathArgument.test(name) ? [value].flat() : []));
  return [...problems, ...unseenFiles(paths, filePath, rules)];
}

const pathArgument = /^(?:path|file|filename|file_name|paths|files)$/i;
/** Folders and patterns find files; only what has an ending is taken for one. */
const filePath = /^[^:*?{}[\]\n]+\.[a-z][a-z0-9]{0,7}$/i;
const fileName = /^[^\s:*?]+\.[a-z][a-z0-9]{0,7}$/i;

function unseenFiles(values: readonly unknown[], looksLike: RegExp, { seen }: PlanRules): string[] {
  if (seen === undefined) return [];
  const source = seen.join("\n").toLowerCase();
  return values
    .filter((value) => typeof value === "string")
    .filter((value) => looksLike.test(value) && !source.includes(value.replace(/^\.?\//, "").toLowerCase()))
    .slice(0, 5)
    .map((value) => `it names "${value}", which the goal does not name. Add a step that finds the files`);
}
