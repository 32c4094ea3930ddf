/**
 * What a tool is.
 *
 * Purpose: turn a user's description of a tool (zod schemas, a declared effect, a function) into a
 * checked, frozen value that any registry can mount. Boundary: runs nothing and knows no registry.
 *
 * 1. A tool that exists is valid: name, effect, and schemas that JSON Schema 2020-12 can express.
 * 2. The effect is declared, never guessed: it decides what follows an unknown outcome.
 */
import { BatonError } from "@baton/core";
import type { ToolCall, ToolEffect, ToolReconciliation, ToolSummary } from "@baton/core/ports";
import { toolEffects } from "@baton/core/ports";
import { z } from "zod";

/** `Symbol.for`: a tools folder may resolve another copy of this package than the worker did. */
const toolMark: unique symbol = Symbol.for("baton.tool");

const namePattern = /^[a-z][a-z0-9_]*(\.[a-z0-9_]+)*$/;

export interface ToolDefinition<I extends z.ZodType, O extends z.ZodType> {
  /** Lower case words joined by dots, e.g. `crm.find_customer`. */
  readonly name: string;
  /** One or two sentences for people and planners: what it does and when to use it. */
  readonly description: string;
  /** An object schema; planners and models see it as JSON Schema. */
  readonly input: I;
  readonly output: O;
  readonly effect: ToolEffect;
  /** Ends the call after this many ms; without it the step's deadline alone does. */
  readonly timeoutMs?: number;
  execute(input: z.output<I>, call: ToolCall): Promise<z.input<O>> | z.input<O>;
  /** Asked after an unknown outcome, with the arguments and idempotency key of the call in doubt. */
  reconcile?(input: z.output<I>, call: ToolCall): Promise<ToolReconciliation<z.input<O>>>;
}

export interface Tool<I extends z.ZodType = z.ZodType, O extends z.ZodType = z.ZodType> extends ToolDefinition<I, O> {
  readonly [toolMark]: true;
  readonly summary: ToolSummary;
}

/** Throws `invalid-configuration` naming the tool, the field and the fix. */
export function defineTool<I extends z.ZodType, O extends z.ZodType>(definition: ToolDefinition<I, O>): Tool<I, O> {
  checkDefinition(definition);
  const { name, description, effect } = definition;
  const inputSchema = jsonSchema(name, "input", definition.input);
  if (inputSchema["type"] !== "object") {
    throw refusal(
      name,
      "input",
      "must be an object schema, as models and plans name their arguments: use z.object({…})",
    );
  }
  const outputSchema = jsonSchema(name, "output", definition.output);
  const summary: ToolSummary = Object.freeze({
    name,
    description,
    inputSchema,
    outputSchema,
    effect,
    ...(definition.reconcile !== undefined && { reconciles: true }),
  });
  return Object.freeze({ ...definition, summary, [toolMark]: true } as const);
}

export function isTool(value: unknown): value is Tool {
  return typeof value === "object" && value !== null && toolMark in value;
}

function checkDefinition(definition: ToolDefinition<z.ZodType, z.ZodType>): void {
  const { name, description, effect, timeoutMs } = definition;
  if (typeof name !== "string" || name.length > 64 || !namePattern.test(name)) {
    throw refusal(
      String(name),
      "name",
      "must be lower case words joined by dots, such as crm.find_customer, up to 64 characters",
    );
  }
  if (typeof description !== "string" || description.trim() === "") {
    throw refusal(name, "description", "must say in a sentence what the tool does");
  }
  if (!toolEffects.includes(effect)) {
    throw refusal(name, "effect", `must be one of ${toolEffects.join(", ")}`);
  }
  if (typeof definition.execute !== "function") {
    throw refusal(name, "execute", "must be a function (input, call)");
  }
  if (timeoutMs !== undefined && !(Number.isSafeInteger(timeoutMs) && timeoutMs > 0 && timeoutMs < 2 ** 31)) {
    throw refusal(name, "timeoutMs", "must be a whole number of milliseconds between 1 and 2147483647");
  }
}

function jsonSchema(name: string, io: "input" | "output", schema: z.ZodType): Readonly<Record<string, unknown>> {
  if (!(schema instanceof z.ZodType)) throw refusal(name, io, "must be a zod schema");
  try {
    return Object.freeze(z.toJSONSchema(schema, { target: "draft-2020-12", io }) as Record<string, unknown>);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw refusal(name, io, `cannot be expressed as JSON Schema (${why}): use plain JSON types`, cause);
  }
}

function refusal(name: string, field: string, fix: string, cause?: unknown): BatonError {
  return new BatonError("invalid-configuration", `Tool "${name}": ${field} ${fix}.`, { cause });
}
