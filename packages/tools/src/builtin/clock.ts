import { z } from "zod";
import { defineTool } from "../definition/define.ts";

export const clockNow = defineTool({
  name: "clock.now",
  description: "Tells the current date and time (UTC).",
  effect: "read",
  input: z.strictObject({}),
  output: z.strictObject({ iso: z.iso.datetime(), unixMs: z.int() }),
  execute: (_input, call) => {
    const unixMs = Math.trunc(call.now());
    return { iso: new Date(unixMs).toISOString(), unixMs };
  },
});
