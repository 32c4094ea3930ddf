/**
 * What a step's expressions may read, and what they come to.
 *
 * Purpose: one reading of expressions for who performs a step and for who looks at it or completes it in a worker's
 * stead. Boundary: outputs are fetched through the reader that is handed in; nothing is written.
 *
 * 1. Only the fields that a plan may fill with expressions are evaluated; what they yield is data.
 * 2. An output by reference is fetched only when an expression reads it.
 */
import { BatonError } from "@baton/core";
import { evaluateExpression, expressionsIn, referencedSteps } from "@baton/core/expressions";
import type { ExpressionScope } from "@baton/core/expressions";
import type { ClaimedStep, StepOutput, StepType } from "@baton/core/ports";

export type ExpressedStep = Pick<ClaimedStep, "key" | "type" | "config" | "inputs" | "conditions" | "task" | "item">;
export type OutputReader = (output: StepOutput) => Promise<unknown>;
type NamedOutputs = ExpressionScope["steps"];

const expressionFields: Readonly<Record<StepType, readonly string[]>> = {
  llm: ["prompt"],
  agent: ["prompt"],
  tool: ["arguments"],
  map: ["over"],
  checkpoint: [],
  summarization: [],
  plan: [],
  evaluate: [],
  reply: [],
};

/** The part of a step's config that may hold expressions. */
export function expressedConfig({ type, config }: Pick<ExpressedStep, "type" | "config">): Record<string, unknown> {
  const fields = expressionFields[type].filter((field) => config[field] !== undefined);
  return Object.fromEntries(fields.map((field) => [field, config[field]]));
}

export const sourcesIn = (value: unknown): string[] => expressionsIn(value).flatMap(({ source }) => source ?? []);

export const conditionSources = ({ conditions }: Pick<ExpressedStep, "conditions">): string[] =>
  conditions.map(({ when }) => when.$cel);

/** The outputs that the expressions name, by step key. */
export async function readNamedOutputs(
  step: Pick<ExpressedStep, "inputs">,
  sources: readonly string[],
  read: OutputReader,
): Promise<NamedOutputs> {
  const named = new Set(sources.flatMap((source) => referencedSteps(source)));
  const outputs: Record<string, { output: unknown; state: string }> = Object.create(null);
  for (const input of step.inputs) {
    if (named.has(input.key)) outputs[input.key] = { output: (await read(input)) ?? null, state: input.state };
  }
  return outputs;
}

export function scopeOf({ task, item }: Pick<ExpressedStep, "task" | "item">, steps: NamedOutputs): ExpressionScope {
  const { input, goal } = task;
  return {
    steps,
    input: input ?? null,
    goal,
    ...(item !== undefined && { item: item.value, index: item.index }),
  };
}

/**
 * Ids of the outgoing edges' targets whose condition is false, given the step's own output.
 * @throws BatonError `invalid-expression`
 */
export function deadEdges(step: ExpressedStep, steps: NamedOutputs, output: unknown): readonly string[] {
  const scope = scopeOf(step, { ...steps, [step.key]: { output: output ?? null, state: "completed" } });
  return step.conditions.filter(({ when }) => !holds(step.key, when.$cel, scope)).map(({ toStepId }) => toStepId);
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

/** Judges the edges of a step that a person completes with an output: as when it performs, without performing it. */
export async function judgeEdges(step: ExpressedStep, output: unknown, read: OutputReader): Promise<readonly string[]> {
  return deadEdges(step, await readNamedOutputs(step, conditionSources(step), read), output);
}

export interface ShownConfig {
  readonly config: Readonly<Record<string, unknown>>;
  /** Expressions left as they are, by their JSON pointer in `config`. */
  readonly unevaluated: readonly { readonly pointer: string; readonly reason: string }[];
}

/**
 * A step's config for a person to read: every expression that has a value is replaced by it, the others stay and say
 * why. A value of more than `maxBytes` of JSON stays an expression too.
 */
export async function shownConfig(step: ExpressedStep, read: OutputReader, maxBytes: number): Promise<ShownConfig> {
  const config = structuredClone({ ...step.config, ...expressedConfig(step) }) as Record<string, unknown>;
  const expressed = expressedConfig({ type: step.type, config });
  const scope = scopeOf(step, await readNamedOutputs(step, sourcesIn(expressed), read));
  const unevaluated: { pointer: string; reason: string }[] = [];
  for (const { segments, source, pointer } of expressionsIn(expressed)) {
    try {
      const value = evaluateExpression(source ?? "", scope);
      const bytes = Buffer.byteLength(JSON.stringify(value) ?? "null");
      if (bytes > maxBytes)
        unevaluated.push({ pointer, reason: `Its value has ${bytes} bytes; at most ${maxBytes} are shown.` });
      else put(config, segments, value);
    } catch (error) {
      unevaluated.push({ pointer, reason: error instanceof Error ? error.message : String(error) });
    }
  }
  return { config, unevaluated };
}

function put(root: object, segments: readonly (string | number)[], value: unknown): void {
  const holder = segments.slice(0, -1).reduce((at: unknown, segment) => Reflect.get(at as object, segment), root);
  const last = segments.at(-1);
  if (last === undefined) return;
  // A plain assignment to `__proto__` would set the prototype.
  Object.defineProperty(holder as object, last, { value, enumerable: true, configurable: true, writable: true });
}
