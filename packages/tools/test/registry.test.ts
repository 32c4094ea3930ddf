import { BatonError, RetryAfter, Suspend, TerminalError } from "@baton/core";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { createToolRegistry, defineTool, selectTools, type ToolSource } from "../src/index.ts";
import type { LateOutcome } from "../src/registry/outcome.ts";
import { toolCall } from "./call.ts";

const double = defineTool({
  name: "math.double",
  description: "Doubles a number.",
  effect: "read",
  input: z.strictObject({ value: z.number(), "odd/~key": z.string().optional() }),
  output: z.strictObject({ value: z.number() }),
  execute: ({ value }) => ({ value: value * 2 }),
});

function toolThat(execute: (signal: AbortSignal) => unknown, timeoutMs?: number) {
  return defineTool({
    name: "probe",
    description: "Runs what the test says.",
    effect: "write",
    input: z.object({}),
    output: z.number(),
    ...(timeoutMs !== undefined && { timeoutMs }),
    execute: (_input, call) => execute(call.signal) as number,
  });
}

const remote: ToolSource = {
  name: "github",
  list: () => [
    { name: "create-issue", description: "Opens an issue.", inputSchema: { type: "object" }, effect: "write" },
  ],
  run: async (name, args) => ({ name, args }),
};

describe("a defined tool", () => {
  test("infers its argument types and is frozen", () => {
    expect(Object.isFrozen(double)).toBe(true);
    const output: { value: number } | Promise<{ value: number }> = double.execute({ value: 1 }, toolCall());
    expect(output).toEqual({ value: 2 });
  });

  test.each(["", "Double", "math.", ".double", "math-double", "1a", "math..x", "a b", "a".repeat(65)])(
    "is refused under the name %j",
    (name) => {
      expect(() => defineTool({ ...double, name })).toThrowError(/name must be lower case/);
    },
  );

  test("is refused with an unknown effect, an empty description, a bad timeout or an input that is no object", () => {
    expect(() => defineTool({ ...double, effect: "delete" as never })).toThrowError(
      /effect must be one of read, idempotent/,
    );
    expect(() => defineTool({ ...double, description: " " })).toThrowError(/description/);
    expect(() => defineTool({ ...double, timeoutMs: 0.5 })).toThrowError(/timeoutMs/);
    expect(() => defineTool({ ...double, input: z.string() as never })).toThrowError(/input must be an object schema/);
  });

  test("is refused when JSON Schema cannot express its schemas", () => {
    expect(() => defineTool({ ...double, input: z.object({ when: z.date() }) as never })).toThrowError(
      /Tool "math.double": input cannot be expressed as JSON Schema/,
    );
  });
});

describe("the registry", () => {
  test("lists JSON Schema 2020-12 and the declared effect", () => {
    const [summary] = createToolRegistry({ tools: [double] }).list();
    expect(summary).toMatchObject({
      name: "math.double",
      effect: "read",
      inputSchema: {
        $schema: "https://json-schema.org/draft/2020-12/schema",
        type: "object",
        required: ["value"],
        additionalProperties: false,
      },
      outputSchema: { required: ["value"] },
    });
  });

  test("names the nearest tools when one is unknown", () => {
    const registry = createToolRegistry({ tools: [double], sources: [remote] });
    expect(() => registry.find("math.doubl")).toThrowError(/There is no tool "math.doubl". Did you mean math.double/);
  });

  test("reports every wrong argument at its JSON pointer, and nothing was run", async () => {
    const registry = createToolRegistry({ tools: [double] });
    const wrong = registry.run("math.double", { value: "1", "odd/~key": 3, extra: 1 }, toolCall());
    await expect(wrong).rejects.toMatchObject({ code: "tool-input-invalid", details: { sent: false } });
    const pointers = await wrong.catch((error: BatonError) => error.problems.map(({ pointer }) => pointer));
    expect(pointers).toEqual(expect.arrayContaining(["/value", "/odd~1~0key", "/extra"]));
  });

  test("refuses an output that its schema refuses", async () => {
    const registry = createToolRegistry({ tools: [toolThat(() => "seven")] });
    await expect(registry.run("probe", {}, toolCall())).rejects.toMatchObject({
      code: "tool-output-invalid",
      details: { sent: true },
    });
  });

  test("wraps an unknown error with its cause", async () => {
    const cause = new RangeError("boom");
    const registry = createToolRegistry({ tools: [toolThat(() => Promise.reject(cause))] });
    await expect(registry.run("probe", {}, toolCall())).rejects.toMatchObject({ code: "tool-failed", cause });
  });

  test.each([
    new TerminalError("never"),
    new RetryAfter("later", { delayMs: 5 }),
    new Suspend({ event: "x" }),
    new BatonError("address-refused", "no"),
  ])("lets $name pass as it is", async (error) => {
    const registry = createToolRegistry({
      tools: [
        toolThat(() => {
          throw error;
        }),
      ],
    });
    await expect(registry.run("probe", {}, toolCall())).rejects.toBe(error);
  });

  test("rejects with the caller's abort reason, also when the tool ignores its signal, and reports the late result", async () => {
    const late: LateOutcome[] = [];
    const work = Promise.withResolvers<number>();
    const started = Promise.withResolvers<void>();
    const tool = toolThat(() => {
      started.resolve();
      return work.promise;
    });
    const registry = createToolRegistry({ tools: [tool], onLate: (outcome) => late.push(outcome) });
    const controller = new AbortController();
    const running = registry.run("probe", {}, toolCall({ signal: controller.signal }));
    await started.promise;
    const reason = new BatonError("cancelled", "stop");
    controller.abort(reason);
    await expect(running).rejects.toBe(reason);
    expect(late).toEqual([]);
    work.resolve(7);
    await expect.poll(() => late).toMatchObject([{ tool: "probe", idempotencyKey: "step-1", output: 7 }]);
  });

  test("tells of a tool that ended with its abort, so that nobody waits for more", async () => {
    const late: LateOutcome[] = [];
    const started = Promise.withResolvers<void>();
    const tool = toolThat((signal) => {
      started.resolve();
      return new Promise((_resolve, reject) =>
        signal.addEventListener("abort", () => setImmediate(reject, signal.reason)),
      );
    });
    const registry = createToolRegistry({ tools: [tool], onLate: (outcome) => late.push(outcome) });
    const controller = new AbortController();
    const running = registry.run("probe", {}, toolCall({ signal: controller.signal }));
    await started.promise;
    controller.abort(new BatonError("cancelled", "stop"));
    await expect(running).rejects.toThrow("stop");
    await expect.poll(() => late).toMatchObject([{ tool: "probe", isAbort: true }]);
  });

  test("does not start a tool whose call is already aborted", async () => {
    let isStarted = false;
    const tool = toolThat(() => {
      isStarted = true;
      return 1;
    });
    const running = createToolRegistry({ tools: [tool] }).run(
      "probe",
      {},
      toolCall({ signal: AbortSignal.abort("gone") }),
    );
    await expect(running).rejects.toBe("gone");
    expect(isStarted).toBe(false);
  });

  test("ends a tool after its timeoutMs and aborts its signal", async () => {
    let seen: AbortSignal | undefined;
    const tool = toolThat((signal) => {
      seen = signal;
      return new Promise(() => {});
    }, 20);
    const running = createToolRegistry({ tools: [tool] }).run("probe", {}, toolCall());
    await expect(running).rejects.toMatchObject({ code: "tool-failed", details: { timedOut: true, timeoutMs: 20 } });
    expect(seen?.aborted).toBe(true);
  });

  test.each([undefined, 60_000])("aborts a tool with a timeoutMs of %s when its call is", async (timeoutMs) => {
    const started = Promise.withResolvers<AbortSignal>();
    const tool = toolThat((signal) => {
      started.resolve(signal);
      return new Promise(() => {});
    }, timeoutMs);
    const controller = new AbortController();
    const running = createToolRegistry({ tools: [tool], onLate: () => undefined }).run(
      "probe",
      {},
      toolCall({ signal: controller.signal }),
    );
    const signal = await started.promise;
    controller.abort("cancelled");
    await expect(running).rejects.toBe("cancelled");
    expect(signal.reason).toBe("cancelled");
  });

  test("mounts other sources below their name, unchanged arguments and all", async () => {
    const registry = createToolRegistry({ tools: [double], sources: [remote] });
    expect(registry.list().map(({ name }) => name)).toEqual(["math.double", "github.create-issue"]);
    expect(registry.find("github.create-issue").name).toBe("github.create-issue");
    const output = await registry.run("github.create-issue", { title: "x" }, toolCall());
    expect(output).toEqual({ name: "create-issue", args: { title: "x" } });
  });

  test("refuses duplicates, and a tool below a source's name", () => {
    expect(() => createToolRegistry({ tools: [double, double] })).toThrowError(/Two tools are named "math.double"/);
    expect(() => createToolRegistry({ sources: [remote, remote] })).toThrowError(/Two tool sources are named "github"/);
    expect(() => createToolRegistry({ tools: [double], sources: [{ ...remote, name: "math" }] })).toThrowError(
      /below the source "math"/,
    );
    const twice = { ...remote, list: () => [...remote.list(), ...remote.list()] };
    expect(() => createToolRegistry({ sources: [twice] })).toThrowError(/two tools named "create-issue"/);
  });

  test("swaps its tools at once, and keeps them when the new set is refused", async () => {
    const registry = createToolRegistry({ tools: [toolThat(() => 1)] });
    expect(() => registry.replaceTools([double, double])).toThrowError(/Two tools/);
    expect(await registry.run("probe", {}, toolCall())).toBe(1);
    registry.replaceTools([toolThat(() => 2)]);
    expect(await registry.run("probe", {}, toolCall())).toBe(2);
  });

  test("asks a tool's reconcile, and says unknown where there is none", async () => {
    const asked = defineTool({ ...toolThat(() => 1), reconcile: async () => ({ outcome: "done", output: 5 }) });
    const wrong = defineTool({
      ...asked,
      name: "wrong",
      reconcile: async () => ({ outcome: "done", output: "5" as never }),
    });
    const registry = createToolRegistry({ tools: [asked, wrong, double], sources: [remote] });
    expect(await registry.reconcile("probe", {}, toolCall())).toEqual({ outcome: "done", output: 5 });
    expect(await registry.reconcile("math.double", { value: 1 }, toolCall())).toEqual({ outcome: "unknown" });
    expect(await registry.reconcile("github.create-issue", {}, toolCall())).toEqual({ outcome: "unknown" });
    await expect(registry.reconcile("wrong", {}, toolCall())).rejects.toMatchObject({ code: "tool-output-invalid" });
  });
});

describe("a selection", () => {
  const registry = createToolRegistry({ tools: [double, toolThat(() => 1)], sources: [remote] });

  test("offers, finds and runs only what is allowed", async () => {
    const selected = selectTools(registry, ["math.double", "github.*"]);
    expect(selected.list().map(({ name }) => name)).toEqual(["math.double", "github.create-issue"]);
    expect(await selected.run("math.double", { value: 4 }, toolCall())).toEqual({ value: 8 });
    expect(() => selected.find("probe")).toThrowError(/no tool "probe"/);
    await expect(selected.run("probe", {}, toolCall())).rejects.toMatchObject({ code: "unknown-tool" });
    await expect(selected.reconcile?.("probe", {}, toolCall())).rejects.toMatchObject({ code: "unknown-tool" });
  });

  test("refuses an entry that names nothing", () => {
    expect(() => selectTools(registry, ["math.triple"])).toThrowError(/math.triple/);
    expect(() => selectTools(registry, ["gitlab.*"])).toThrowError(/gitlab/);
  });
});
