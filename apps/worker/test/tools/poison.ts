import { defineTool } from "@baton/tools";
import { z } from "zod";

/** Ends the process that performs it, or holds its main thread. */
export const poison = defineTool({
  name: "test.poison",
  description: "Does what no step should",
  input: z.object({ how: z.enum(["kill", "exit", "throw", "memory", "spin"]) }),
  output: z.number(),
  effect: "idempotent",
  async execute({ how }) {
    if (how === "kill") process.kill(process.pid, "SIGKILL");
    if (how === "exit") process.exit(3);
    if (how === "throw")
      setTimeout(() => {
        throw new Error("nobody catches this");
      });
    if (how === "memory") {
      const kept: number[][] = [];
      for (;;) kept.push(Array.from({ length: 100_000 }, Math.random));
    }
    if (how === "spin") for (;;);
    return await new Promise<number>(() => undefined);
  },
});
