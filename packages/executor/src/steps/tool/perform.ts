/** The step type `tool`: one call to the outside, by the rules of `effects/`. */
import type { Performer } from "@baton/core/ports";
import { type CallParts, callTool } from "../../effects/call.ts";

export function createToolPerformer(parts: CallParts): Performer {
  return async (context) => {
    const { config } = context;
    const tool = parts.tools.find(String(config["tool"]));
    const args = config["arguments"] ?? {};
    return { performed: "output", output: await callTool(parts, context, { tool, args, callNo: 1, isLast: true }) };
  };
}
