import { BatonError } from "@baton/core";
import type { ToolCall, ToolReconciliation, ToolSummary } from "@baton/core/ports";
import type { z } from "zod";
import type { Tool } from "../definition/define.ts";
import { problemsOf, sentenceOf } from "../definition/problems.ts";

/**
 * Where tools come from. Names are the source's own; the registry mounts them as `<source>.<tool>`.
 * A source validates arguments itself: only it knows the schema's language.
 */
export interface ToolSource {
  readonly name: string;
  /** Read on every use, so a source may change what it offers. */
  list(): readonly ToolSummary[];
  run(name: string, args: unknown, call: ToolCall): Promise<unknown>;
  reconcile?(name: string, args: unknown, call: ToolCall): Promise<ToolReconciliation>;
  /** Tools that exist and may not be called now, with the reason; they are not listed. */
  disabled?(): readonly { readonly name: string; readonly why: string }[];
  /** Why a tool that is not listed cannot be called; undefined: there is none of that name. */
  refusalOf?(name: string): string | undefined;
  /** Ends the call after this many ms. */
  timeoutMs?(name: string): number | undefined;
}

/** The tools made by `defineTool`, as one source. Throws `invalid-configuration` on a duplicate name. */
export function definedTools(tools: readonly Tool[]): ToolSource {
  const byName = new Map<string, Tool>();
  for (const tool of tools) {
    if (byName.has(tool.name)) {
      throw new BatonError("invalid-configuration", `Two tools are named "${tool.name}": rename one of them.`);
    }
    byName.set(tool.name, tool);
  }
  const summaries = Object.freeze([...byName.values()].map((tool) => tool.summary));
  const known = (name: string): Tool => {
    const tool = byName.get(name);
    if (tool === undefined) throw new BatonError("unknown-tool", `There is no tool "${name}".`);
    return tool;
  };
  return {
    name: "",
    list: () => summaries,
    timeoutMs: (name) => known(name).timeoutMs,
    run: async (name, args, call) => {
      const tool = known(name);
      const input = await validInput(tool, args);
      return validOutput(tool, await tool.execute(input, call));
    },
    reconcile: async (name, args, call) => {
      const tool = known(name);
      if (tool.reconcile === undefined) return { outcome: "unknown" };
      const verdict = await tool.reconcile(await validInput(tool, args), call);
      return verdict.outcome === "done"
        ? { outcome: "done", output: await validOutput(tool, verdict.output) }
        : verdict;
    },
  };
}

async function validInput(tool: Tool, args: unknown): Promise<unknown> {
  const result = await parsed(tool, tool.input, args ?? {});
  if (result.success) return result.data;
  const problems = problemsOf(result.error);
  throw new BatonError(
    "tool-input-invalid",
    `The arguments of tool "${tool.name}" are not valid: ${sentenceOf(problems)}.`,
    {
      problems,
      details: { sent: false },
    },
  );
}

async function validOutput(tool: Tool, output: unknown): Promise<unknown> {
  const result = await parsed(tool, tool.output, output);
  if (result.success) return result.data;
  const problems = problemsOf(result.error);
  throw new BatonError(
    "tool-output-invalid",
    `Tool "${tool.name}" returned what its output schema refuses: ${sentenceOf(problems)}.`,
    {
      problems,
      details: { sent: true },
    },
  );
}

function parsed(tool: Tool, schema: z.ZodType, value: unknown): Promise<z.ZodSafeParseResult<unknown>> {
  return schema.safeParseAsync(value).catch((cause: unknown) => {
    throw new BatonError("tool-failed", `A schema of tool "${tool.name}" threw instead of reporting a problem.`, {
      cause,
    });
  });
}
