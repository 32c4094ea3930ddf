/** The tools as a planner reads them: signatures instead of JSON Schema, a fifth of its tokens. */
import type { ToolSummary } from "@baton/core/ports";
import { isRecord } from "./draft.ts";

/** How much a prompt says about each tool; the first that fits is taken. */
export const catalogueDetails = ["full", "signatures", "names"] as const;
export type CatalogueDetail = (typeof catalogueDetails)[number];

const maxDepth = 4;

export function renderCatalogue(tools: readonly ToolSummary[], detail: CatalogueDetail): string {
  if (tools.length === 0) return "There are no tools: plan with llm, map and summarization steps only.";
  return tools.map((tool) => line(tool, detail)).join("\n");
}

function line({ name, description, inputSchema, outputSchema, effect }: ToolSummary, detail: CatalogueDetail): string {
  const input = signature(inputSchema, detail === "full", 0);
  if (detail === "names") return `- ${name} ${input}`;
  const output = outputSchema === undefined ? "any" : signature(outputSchema, false, 0);
  return `- ${name} ${input} -> ${output} (${effect}): ${description}`;
}

function signature(schema: unknown, withDescriptions: boolean, depth: number): string {
  if (!isRecord(schema) || depth > maxDepth) return "any";
  const inner = (child: unknown): string => signature(child, withDescriptions, depth + 1);
  if ("const" in schema) return JSON.stringify(schema["const"]) ?? "any";
  if (Array.isArray(schema["enum"])) return schema["enum"].map((value) => JSON.stringify(value)).join(" | ");
  const options = schema["anyOf"] ?? schema["oneOf"];
  if (Array.isArray(options)) return [...new Set(options.map(inner))].join(" | ");
  const { type } = schema;
  if (Array.isArray(type)) return type.join(" | ");
  if (type === "array") return `${inner(schema["items"])}[]`;
  if (isRecord(schema["properties"])) return fields(schema, schema["properties"], withDescriptions, depth);
  return typeof type === "string" ? type : "any";
}

function fields(
  schema: Readonly<Record<string, unknown>>,
  properties: Readonly<Record<string, unknown>>,
  withDescriptions: boolean,
  depth: number,
): string {
  const required = new Set(Array.isArray(schema["required"]) ? schema["required"] : []);
  const shown = Object.entries(properties).map(([name, property]) => {
    const said = withDescriptions && isRecord(property) ? property["description"] : undefined;
    const type = signature(property, withDescriptions, depth + 1);
    return `${name}${required.has(name) ? "" : "?"}: ${type}${typeof said === "string" ? ` /* ${said} */` : ""}`;
  });
  return `{${shown.join(", ")}}`;
}
