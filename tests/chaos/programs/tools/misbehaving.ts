import { setTimeout as delay } from "node:timers/promises";
import { defineTool } from "@baton/tools";
import { z } from "zod";
import { postEffect } from "../post-effect.ts";

/** Does what no step should: kills its process, holds the main thread, or never ends and hears of nothing. */
export const misbehaving = defineTool({
  name: "chaos.misbehaving",
  description: "Records one effect in the sink and misbehaves, on the first attempts it is told to",
  input: z.strictObject({
    how: z.enum(["kill", "spin", "endless"]),
    before_ms: z.number().default(0),
    attempts: z.number().default(1_000),
  }),
  output: z.number(),
  effect: "idempotent",
  async execute({ how, before_ms, attempts }, call) {
    await delay(before_ms, undefined, { signal: call.signal });
    await postEffect(call);
    if (call.attemptNo > attempts) return call.attemptNo;
    if (how === "kill") process.kill(process.pid, "SIGKILL");
    if (how === "spin") for (;;);
    return await new Promise<number>(() => undefined);
  },
});
