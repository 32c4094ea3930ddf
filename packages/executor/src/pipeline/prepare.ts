/**
 * The stage `prepare`: reads the outputs that expressions name, and evaluates the expressions.
 *
 * 1. Only the fields that a plan may fill with expressions are evaluated; what they yield is data.
 * 2. An output by reference is fetched only when an expression or the performer reads it.
 */
import { BatonError } from "@baton/core";
import { evaluateExpression, expressionsIn, referencedSteps, resolveValue } from "@baton/core/expressions";
import type { ExpressionScope } from "@baton/core/expressions";
import type { ClaimedStep, EngineStore, StepOutput, StepType } from "@baton/core/ports";

const expressionFields: Readonly<Record<StepType, readonly string[]>> = {
  llm: ["prompt"],
  tool: ["arguments"],
  map: ["over"],
  checkpoint: [],
  summarization: [],
  plan: [],
  evaluate: [],
  reply: [],
};

export interface Prepared {
  readonly config: Readonly<Record<string, unknown>>;
  readOutput(output: StepOutput): Promise<unknown>;
  /** Ids of the outgoing edges' targets whose condition is false, given the step's own output. */
  deadEdges(output: unknown): readonly string[];
}

export async function prepareStep(step: ClaimedStep, store: Pick<EngineStore, "readOutput">): Promise<Prepared> {
  const fields = expressionFields[step.type].filter((field) => step.config[field] !== undefined);
  const evaluated = Object.fromEntries(fields.map((field) => [field, step.config[field]]));
  const sources = [
    ...expressionsIn(evaluated).flatMap(({ source }) => source ?? []),
    ...step.conditions.map(({ when }) => when.$cel),
  ];
  const named = new Set(sources.flatMap((source) => referencedSteps(source)));
  const read = new Map<string, unknown>();
  const readOutput = async (output: StepOutput): Promise<unknown> => {
    if (output.blobId === undefined) return output.output;
    if (read.has(output.stepId)) return read.get(output.stepId);
    return await store.readOutput(step.ref, output.blobId);
  };
  const steps: Record<string, { output: unknown; state: string }> = Object.create(null);
  for (const output of step.inputs) {
    if (!named.has(output.key)) continue;
    const value = await readOutput(output);
    read.set(output.stepId, value);
    steps[output.key] = { output: value ?? null, state: output.state };
  }
  const scope = scopeOf(step, steps);
  return {
    config: { ...step.config, ...(resolveValue(evaluated, scope) as Record<string, unknown>) },
    readOutput,
    deadEdges(output) {
      const own = { ...steps, [step.key]: { output: output ?? null, state: "completed" } };
      return step.conditions
        .filter(({ when }) => !holds(step.key, when.$cel, scopeOf(step, own)))
        .map(({ toStepId }) => toStepId);
    },
  };
}

function scopeOf(step: ClaimedStep, steps: ExpressionScope["steps"]): ExpressionScope {
  const { input, goal } = step.task;
  return {
    steps,
    input: input ?? null,
    goal,
    ...(step.item !== undefined && { item: step.item.value, index: step.item.index }),
  };
}

function holds(key: string, source: string, scope: ExpressionScope): boolean {
  const verdict = evaluateExpression(source, scope);
  if (typeof verdict === "boolean") return verdict;
  const kind = verdict === null ? "null" : Array.isArray(verdict) ? "a list" : `a ${typeof verdict}`;
  throw new BatonError(
    "invalid-expression",
    `The condition "${source}" on an edge from step "${key}" yields ${kind}; a condition yields true or false.`,
  );
}
