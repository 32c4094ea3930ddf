/**
 * Results that are too long to be told whole: an agent reads more of them when it needs it.
 *
 * Purpose: `results.read` beside an agent's tools. Boundary: the results are the ledger's; what of them stands in the prompt
 * is prompt.ts's.
 *
 * 1. It reads what calls of this step came to, and calls nothing again: also where the call must not be repeated.
 * 2. It is told of once there is something to read; called before, it answers all the same, so every worker numbers calls alike.
 */
import { BatonError } from "@baton/core";
import { resultsRead } from "@baton/core/agent";
import type { ToolPort, ToolSummary } from "@baton/core/ports";
import { z } from "zod";

/** Characters of one reading. */
const mostRead = 15_000;

const input = z.strictObject({
  call: z.int().min(1).describe("The number that stands with the result."),
  from: z.int().min(0).default(0).describe("The first character."),
});

export const resultsReadTool: ToolSummary = Object.freeze({
  name: resultsRead,
  description: `Reads on in a result that you were told only in part, at most ${mostRead} characters at once. Nothing is called again.`,
  inputSchema: z.toJSONSchema(input, { target: "draft-2020-12", io: "input" }) as Record<string, unknown>,
  outputSchema: { type: "object" },
  effect: "read",
});

/** `textOf`: the whole result of a call, by its number. */
export function withResults(tools: ToolPort, textOf: (callNo: number) => string | undefined): ToolPort {
  const read = (args: unknown) => {
    const parsed = input.safeParse(args);
    if (!parsed.success) {
      const [issue] = parsed.error.issues;
      throw refusal(`/${issue?.path.join("/") ?? ""}: ${issue?.message ?? "not valid"}`);
    }
    const { call, from } = parsed.data;
    const text = textOf(call);
    if (text === undefined) throw refusal(`/call: there is no result with the number ${call}.`);
    const part = text.slice(from, from + mostRead).toWellFormed();
    return { text: part, from, to: from + part.length, of: text.length };
  };
  return {
    list: () => [...tools.list(), resultsReadTool],
    find: (name) => (name === resultsRead ? resultsReadTool : tools.find(name)),
    run: async (name, args, call) => (name === resultsRead ? read(args) : await tools.run(name, args, call)),
    ...(tools.refresh !== undefined && { refresh: (names) => tools.refresh?.(names) }),
    ...(tools.disabled !== undefined && { disabled: () => tools.disabled?.() ?? [] }),
    ...(tools.reconcile !== undefined && {
      reconcile: (name, args, call) => tools.reconcile?.(name, args, call) ?? Promise.resolve({ outcome: "unknown" }),
    }),
  };
}

const refusal = (detail: string): BatonError =>
  new BatonError("tool-input-invalid", detail, { details: { sent: false } });
