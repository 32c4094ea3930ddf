import { setTimeout as delay } from "node:timers/promises";
import { defineTool } from "@baton/tools";
import { z } from "zod";
import { postEffect } from "../post-effect.ts";

/** An effect on the outside that the sink records. */
export const effect = defineTool({
  name: "chaos.effect",
  description: "Waits, records one effect in the sink, and waits again",
  input: z.strictObject({
    before_ms: z.number().default(0),
    after_ms: z.number().default(0),
    label: z.string().optional(),
  }),
  output: z.strictObject({ key: z.string(), attempt: z.number() }),
  effect: "idempotent",
  async execute({ before_ms, after_ms, label }, call) {
    await delay(before_ms, undefined, { signal: call.signal });
    await postEffect(call, label);
    await delay(after_ms, undefined, { signal: call.signal });
    return { key: call.idempotencyKey, attempt: call.attemptNo };
  },
});
