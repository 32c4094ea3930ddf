import { writeFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { defineTool } from "@baton/tools";
import { z } from "zod";

/** What a cancel meets in the wild: code that does not look at its signal. */
export const stubborn = defineTool({
  name: "test.stubborn",
  description: "Works on for a while whatever its signal says, then writes a file",
  input: z.strictObject({ ms: z.number(), file: z.string() }),
  output: z.string(),
  effect: "idempotent",
  async execute({ ms, file }) {
    await writeFile(`${file}.begun`, "");
    await delay(ms);
    await writeFile(file, "done");
    return "done";
  },
});
