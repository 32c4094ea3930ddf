/**
 * A server's tools, as it lists them.
 *
 * Purpose: from what a server says to what a catalogue keeps of it. Boundary: whether a tool may be used is decided by
 * who compares it with what was accepted.
 *
 * 1. The hash covers what a model is told and what decides about retries: description, input schema, annotations.
 * 2. Annotations are the server's word; where two contradict, the one with the worse consequences counts, and what is not
 *    annotated is `write`.
 * 3. What could not be shown to people and models whole is refused, with the reason.
 */
import { createHash } from "node:crypto";
import type { ToolEffect } from "@baton/core/ports";
import { lookAlikes, nameProblem } from "./names.ts";

export interface ListedTool {
  readonly name: string;
  readonly description: string;
  readonly inputSchema: Readonly<Record<string, unknown>>;
  readonly effect: ToolEffect;
  readonly hash: string;
  /** It can never be used, for this reason. */
  readonly refusal?: string;
}

export interface OfferedTool {
  readonly name: string;
  readonly title?: string | undefined;
  readonly description?: string | undefined;
  readonly inputSchema: Readonly<Record<string, unknown>>;
  readonly annotations?:
    | {
        readonly readOnlyHint?: boolean | undefined;
        readonly destructiveHint?: boolean | undefined;
        readonly idempotentHint?: boolean | undefined;
      }
    | undefined;
}

const mostTools = 500;
const longestDescription = 8_000;
const largestSchema = 65_536;

/** `accepted`: names of tools that were accepted before. */
export function listedTools(offered: readonly OfferedTool[], accepted: ReadonlySet<string>): readonly ListedTool[] {
  const byName = Map.groupBy(offered, ({ name }) => name);
  const alike = lookAlikes([...byName.keys()], accepted);
  return [...byName.values()].slice(0, mostTools).map(([tool, ...again]) => {
    const { name, inputSchema } = tool as OfferedTool;
    const description = (tool?.description ?? tool?.title ?? name).trim() || name;
    const other = alike.get(name);
    const refusal =
      nameProblem(name) ??
      (again.length > 0 ? "the server lists two tools of that name" : undefined) ??
      (other === undefined ? undefined : `its name looks like "${other}"`) ??
      (description.length > longestDescription
        ? `its description has more than ${longestDescription} characters`
        : undefined) ??
      (JSON.stringify(inputSchema).length > largestSchema
        ? `its input schema has more than ${largestSchema} characters`
        : undefined);
    const kept = refusal === undefined ? { description, inputSchema } : { description: "", inputSchema: {} };
    return {
      name: name.slice(0, 120).toWellFormed(),
      ...kept,
      effect: effectOf(tool?.annotations),
      hash: hashOf({ description, inputSchema, annotations: tool?.annotations ?? {} }),
      ...(refusal !== undefined && { refusal }),
    };
  });
}

export function effectOf(annotations: OfferedTool["annotations"] = {}): ToolEffect {
  const { readOnlyHint, destructiveHint, idempotentHint } = annotations;
  if (destructiveHint === true) return "irreversible";
  if (readOnlyHint === true) return "read";
  return idempotentHint === true ? "idempotent" : "write";
}

/** Equal for equal JSON, whatever the order of its keys. */
export function hashOf(value: unknown): string {
  return createHash("sha256").update(canonical(value)).digest("hex");
}

function canonical(value: unknown): string {
  if (value === null || typeof value !== "object") return JSON.stringify(value) ?? "null";
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  const entries = Object.entries(value).filter(([, child]) => child !== undefined);
  return `{${entries
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, child]) => `${JSON.stringify(key)}:${canonical(child)}`)
    .join(",")}}`;
}
