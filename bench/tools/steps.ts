/** The tools that the bench's plans call. The api and the workers load them from this folder, as users load theirs. */
import { existsSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { defineTool } from "@baton/tools";
import { z } from "zod";

/** A step without work of its own: what is left is Baton's. */
export const pass = defineTool({
  name: "bench.pass",
  description: "Gives back the number that it is given",
  input: z.object({ no: z.number() }),
  output: z.object({ no: z.number() }),
  effect: "idempotent",
  execute: ({ no }) => ({ no }),
});

export const wait = defineTool({
  name: "bench.wait",
  description: "Waits, as a step that waits for a model or a service",
  input: z.object({ ms: z.number() }),
  output: z.object({ ms: z.number() }),
  effect: "idempotent",
  async execute({ ms }, { signal }) {
    await delay(ms, undefined, { signal });
    return { ms };
  },
});

/** One poll per process and gate, however many steps wait at it. */
const gates = new Map<string, Promise<void>>();

async function opened(path: string): Promise<void> {
  while (!existsSync(path)) await delay(50);
}

export const gate = defineTool({
  name: "bench.gate",
  description: "Waits until a file exists",
  input: z.object({ path: z.string() }),
  output: z.object({ path: z.string() }),
  effect: "idempotent",
  async execute({ path }) {
    const open = gates.get(path) ?? opened(path);
    gates.set(path, open);
    await open;
    return { path };
  },
});
