/**
 * The answer that an agent ends with.
 *
 * 1. One that does not match `output_schema` is told so, and thinks again, twice at most.
 */
import { BatonError } from "@baton/core";
import type { AgentDefinition } from "@baton/core/agent";
import type { PerformContext } from "@baton/core/ports";
import { createOutputValidator } from "../llm/schema.ts";
import type { Turn } from "./journal.ts";

const maxRepairs = 2;

/** Gives a turn that wants to end without a right answer its feedback. Throws `output-invalid` after the last repair. */
export type Judge = (turn: Turn, isNew: boolean) => void;

export function createJudge({ output_schema: schema }: AgentDefinition, context: Pick<PerformContext, "trace">): Judge {
  if (schema === undefined) return () => undefined;
  const validate = createOutputValidator(schema);
  let repair = 0;
  return (turn, isNew) => {
    if (turn.toolCalls.length > 0) return;
    const value = parsed(turn.text);
    const verdict = "problem" in value ? { valid: false as const, problems: [value.problem] } : validate(value.json);
    if (verdict.valid) return;
    const { problems } = verdict;
    if (isNew) context.trace({ type: "output-rejected", data: { problems: [...problems], repair } });
    if (repair === maxRepairs) {
      throw new BatonError(
        "output-invalid",
        `The agent's answer does not match output_schema after ${maxRepairs} repairs: ${problems.join("; ")}`,
      );
    }
    repair += 1;
    const listed = problems.map((problem) => `- ${problem}`).join("\n");
    turn.feedback = `That answer does not match the schema:\n${listed}\nAnswer again with the corrected JSON and nothing else.`;
  };
}

/** Of an answer that was judged. */
export function answerOf({ output_schema: schema }: AgentDefinition, text: string): unknown {
  const value = schema === undefined ? undefined : parsed(text);
  return value !== undefined && "json" in value ? value.json : text;
}

/** JSON, or JSON as the only content of one code fence. */
function parsed(text: string): { readonly json: unknown } | { readonly problem: string } {
  const fenced = /^\s*```(?:json)?\s*\n([\s\S]*?)\n```\s*$/.exec(text);
  try {
    return { json: JSON.parse(fenced?.[1] ?? text) };
  } catch (error) {
    return { problem: `it is not JSON: ${(error as Error).message}` };
  }
}
