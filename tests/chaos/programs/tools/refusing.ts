import { RetryAfter } from "@baton/core";
import { defineTool } from "@baton/tools";
import { z } from "zod";
import { postEffect } from "../post-effect.ts";

/** Says "not now" on its first attempts, so that a timer has to fire, and then records one effect in the sink. */
export const refusing = defineTool({
  name: "chaos.refusing",
  description: "Refuses its first attempts, then records one effect in the sink",
  input: z.strictObject({ times: z.number(), delay_ms: z.number() }),
  output: z.strictObject({ attempt: z.number() }),
  effect: "idempotent",
  async execute({ times, delay_ms: delayMs }, call) {
    if (call.attemptNo <= times) throw new RetryAfter("Not now.", { delayMs });
    await postEffect(call);
    return { attempt: call.attemptNo };
  },
});
