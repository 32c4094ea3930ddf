import { setTimeout as delay } from "node:timers/promises";
import { defineTool } from "@baton/tools";
import { z } from "zod";

/** Stays for a while, and says on its worker's output when it is told to go; fails on the first attempts it is told to. */
export const stay = defineTool({
  name: "chaos.stay",
  description: "Stays for a while",
  input: z.strictObject({ ms: z.number(), failures: z.number().default(0) }),
  output: z.number(),
  effect: "read",
  async execute({ ms, failures }, call) {
    try {
      await delay(ms, undefined, { signal: call.signal });
    } catch (error) {
      process.stderr.write(`stay-aborted ${call.stepId} ${Date.now()}\n`);
      throw error;
    }
    if (call.attemptNo <= failures) throw new Error("It fails as it was told to.");
    return call.attemptNo;
  },
});
