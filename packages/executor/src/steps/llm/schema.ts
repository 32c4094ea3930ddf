/** Validates a model's answer against the JSON Schema that the plan gave. */
import { BatonError } from "@baton/core";
import { z } from "zod";

export type Validation =
  | { readonly valid: true; readonly value: unknown }
  | { readonly valid: false; readonly problems: readonly string[] };

const maxProblems = 20;

export function createOutputValidator(schema: Readonly<Record<string, unknown>>): (answer: unknown) => Validation {
  const type = typeOf(schema);
  return (answer) => {
    const result = type.safeParse(answer);
    if (result.success) return { valid: true, value: answer };
    const problems = result.error.issues
      .slice(0, maxProblems)
      .map(({ path, message }) => `${path.length === 0 ? "the value" : path.join(".")}: ${message}`);
    return { valid: false, problems };
  };
}

function typeOf(schema: Readonly<Record<string, unknown>>): z.ZodType {
  try {
    return z.fromJSONSchema(schema as Parameters<typeof z.fromJSONSchema>[0]);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new BatonError("invalid-plan", `output_schema is not a JSON Schema that can be checked: ${why}`, { cause });
  }
}
