/**
 * A plan as a model writes it.
 *
 * Purpose: a JSON Schema that providers can decode under, and the way from such an answer to a PlanSpec.
 * Boundary: shape only; `check.ts` says whether the plan can run.
 *
 * 1. Providers close every object and know no open ones: what is open (arguments, output_schema) is a text of JSON.
 * 2. An answer that already is a PlanSpec is read as one.
 * 3. Nothing is guessed: what cannot be read is a problem that names its place.
 */
import { planSpec } from "@baton/core/plan";
import type { PlanSpec } from "@baton/core/plan";
import { z } from "zod";
import { type Read, shapeProblems } from "../model/object.ts";

const expression = z.strictObject({ $cel: z.string() });
const dependency = z.union([z.string(), z.strictObject({ step: z.string(), when: expression })]);
const placed = { id: z.string(), description: z.string(), depends_on: z.array(dependency) };
const llm = { type: z.literal("llm"), prompt: z.string(), output_schema: z.string().optional() };
const tool = { type: z.literal("tool"), tool: z.string(), arguments: z.string() };
const item = z.union([
  z.strictObject({ ...llm, description: z.string() }),
  z.strictObject({ ...tool, description: z.string() }),
]);

const draftStep = z.union([
  z.strictObject({ ...placed, ...llm }),
  z.strictObject({ ...placed, ...tool }),
  z.strictObject({
    ...placed,
    type: z.literal("map"),
    over: z.union([expression, z.array(z.string())]),
    step: item,
  }),
  z.strictObject({ ...placed, type: z.enum(["summarization", "checkpoint"]) }),
]);

/** The shape of the steps alone, for answers that carry more than a plan. */
export const draftSteps = z.array(draftStep);

export function providerSchema(type: z.ZodType): Readonly<Record<string, unknown>> {
  const { $schema: _dialect, ...schema } = z.toJSONSchema(type, { io: "input" });
  return schema;
}

export const planSchema = providerSchema(z.strictObject({ steps: draftSteps, result: expression.optional() }));

export function readPlan(answer: unknown): Read<PlanSpec> {
  const problems: string[] = [];
  const read = planSpec.safeParse(isRecord(answer) ? opened(answer, problems) : answer);
  if (problems.length > 0) return { valid: false, problems };
  return read.success ? { valid: true, value: read.data } : { valid: false, problems: shapeProblems(read.error) };
}

type JsonRecord = Readonly<Record<string, unknown>>;

export function isRecord(value: unknown): value is JsonRecord {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A null stands for an absent field: providers that want every field write it. */
function withoutNulls(value: JsonRecord): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).filter(([, child]) => child !== null));
}

function opened(plan: JsonRecord, problems: string[]): JsonRecord {
  const fields = withoutNulls(plan);
  const { steps } = fields;
  if (!Array.isArray(steps)) return fields;
  return { ...fields, steps: steps.map((step, index) => openedStep(step, `steps.${index}`, problems)) };
}

function openedStep(step: unknown, place: string, problems: string[]): unknown {
  if (!isRecord(step)) return step;
  const fields = withoutNulls(step);
  for (const name of ["arguments", "output_schema"]) {
    const text = fields[name];
    if (typeof text !== "string") continue;
    const value = parsedObject(text);
    if (value === undefined) problems.push(`${place}.${name}: must be the JSON text of an object`);
    else fields[name] = value;
  }
  return "step" in fields ? { ...fields, step: openedStep(fields["step"], `${place}.step`, problems) } : fields;
}

function parsedObject(text: string): JsonRecord | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
