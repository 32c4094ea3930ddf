/** The step type `tool`: one call to the outside, by the rules of `effects/`, and where a rule says so, by a person's word. */
import type { EngineStore, PerformContext, Performed, Performer, ToolSummary } from "@baton/core/ports";
import type { ApprovalRule } from "@baton/core/questions";
import { type CallParts, callTool } from "../../effects/call.ts";
import { freshTools, refuseForeign } from "../../effects/tools.ts";
import { untilAnswered } from "../../pipeline/patience.ts";
import { judgeCall, ruleFor } from "../../questions/approval.ts";

export interface ToolPerformerParts extends CallParts {
  readonly store: CallParts["store"] & Pick<EngineStore, "questions">;
  readonly newId: () => string;
}

const callNo = 1;

export function createToolPerformer(parts: ToolPerformerParts): Performer {
  return async (context) => {
    const { config, step } = context;
    const tool = await allowedTool(parts, context, String(config["tool"]));
    const args = config["arguments"] ?? {};
    const rule = ruleFor(step.task.settings.approvals ?? [], step, tool, args);
    if (rule !== undefined) return await byPermission(parts, context, tool, args, rule);
    return { performed: "output", output: await callTool(parts, context, { tool, args, callNo, isLast: true }) };
  };
}

/** Throws `unknown-tool` or `tool-disabled`. */
async function allowedTool(parts: ToolPerformerParts, { step, signal }: PerformContext, name: string) {
  refuseForeign(name, step.task.settings);
  await freshTools(parts, [name], signal);
  return parts.tools.find(name);
}

async function byPermission(
  parts: ToolPerformerParts,
  context: PerformContext,
  tool: ToolSummary,
  args: unknown,
  rule: ApprovalRule,
): Promise<Performed> {
  const { step, signal } = context;
  const read = () => parts.store.questions(step.ref);
  const asked = step.attemptNo === 1 ? [] : await untilAnswered(read, signal, parts.log, "questions");
  if (asked === undefined) throw signal.reason;
  const judged = judgeCall(rule, { step, tool, args, callNo, newId: parts.newId }, asked[0]);
  switch (judged.verdict) {
    case "ask":
      return { performed: "asked", questions: [judged.question] };
    case "rejected":
      throw judged.error;
    case "call":
      return {
        performed: "output",
        output: await callTool(parts, context, { tool, args: judged.args, callNo, isLast: true }),
      };
  }
}
