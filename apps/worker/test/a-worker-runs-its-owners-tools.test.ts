import { defineTool } from "@baton/tools";
import { afterEach, beforeEach, describe, expect, inject, test } from "vitest";
import { z } from "zod";
import { createWorker } from "../src/index.ts";
import { openInstallation } from "./installation.ts";
import type { Installation } from "./installation.ts";

let installation: Installation;
beforeEach(async () => {
  installation = await openInstallation(inject("postgresUrl"));
});
afterEach(async () => {
  await installation.close();
});

const greet = defineTool({
  name: "own.greet",
  description: "Greets somebody",
  input: z.object({ name: z.string() }),
  output: z.string(),
  effect: "read",
  execute: ({ name }) => `Hello, ${name}`,
});

describe("createWorker", () => {
  test("performs steps with the tools it is given, and stops once however often it is asked", async () => {
    const env = { ...installation.env, BATON_LOG_LEVEL: "silent" };
    const worker = await createWorker({ tools: [greet], env, ownsProcess: false });
    const step = { id: "a", type: "tool", tool: "own.greet", arguments: { name: "harbour" } };
    const ref = await installation.create([step]);
    await installation.until(ref, "completed");
    expect((await installation.steps(ref)).get("a")?.output).toBe("Hello, harbour");
    expect(worker.sessionId).toEqual(expect.any(String));
    await Promise.all([worker.stop(), worker.stop()]);
    await expect(fetch(worker.url)).rejects.toThrow();
    expect(await installation.store.poolServed("default")).toBe(false);
  });

  test("leaves nothing open when a tool's name is taken twice", async () => {
    const env = { ...installation.env, BATON_LOG_LEVEL: "silent" };
    const opening = createWorker({ tools: [greet, greet], env, ownsProcess: false });
    await expect(opening).rejects.toMatchObject({ code: "invalid-configuration" });
  });
});
