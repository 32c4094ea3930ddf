import { setTimeout as delay } from "node:timers/promises";
import { defineTool } from "@baton/tools";
import { z } from "zod";

export const pid = defineTool({
  name: "test.pid",
  description: "Says which process runs it, after a while",
  input: z.object({ afterMs: z.number().default(0) }),
  output: z.number(),
  effect: "read",
  async execute({ afterMs }, { signal }) {
    await delay(afterMs, undefined, { signal });
    return process.pid;
  },
});

export const spin = defineTool({
  name: "test.spin",
  description: "Blocks the event loop at once",
  input: z.object({ ms: z.number() }),
  output: z.number(),
  effect: "read",
  async execute({ ms }) {
    const until = Date.now() + ms;
    while (Date.now() < until);
    return process.pid;
  },
});
