import { defineTool } from "@baton/tools";
import { z } from "zod";

/** A call that went out and whose answer was lost: nobody can say whether it took place. */
export const lostAnswer = defineTool({
  name: "test.lost_answer",
  description: "Calls once, and never hears the answer",
  input: z.strictObject({}),
  output: z.unknown(),
  effect: "irreversible",
  execute: () => Promise.reject(new Error("the connection was reset after the call had been sent")),
});
