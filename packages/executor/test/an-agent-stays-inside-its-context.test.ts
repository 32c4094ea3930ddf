import type { TaskSettingsInput } from "@baton/core/task";
import type { FailPoint } from "@baton/core/ports";
import type { ModelServer, ModelServerRequest, ModelServerScript, ScriptedReply } from "@baton/testing/model-server";
import { startModelServer } from "@baton/testing/model-server";
import { defineTool } from "@baton/tools";
import { afterEach, describe, expect, inject, test } from "vitest";
import { z } from "zod";
import { type Bench, openBench } from "./bench.ts";

let bench: Bench | undefined;
let server: ModelServer | undefined;
afterEach(async () => {
  await bench?.close();
  await server?.close();
  bench = undefined;
  server = undefined;
});

async function open(script: ModelServerScript, failPoint?: (name: FailPoint) => void) {
  server = await startModelServer(script);
  bench = await openBench({
    postgresUrl: inject("postgresUrl"),
    modelUrl: server.url,
    tools: [write],
    ...(failPoint !== undefined && { failPoint }),
  });
  return { ...bench, server };
}

const write = defineTool({
  name: "write",
  description: "Gives back a text of so many words",
  input: z.object({ word: z.string(), count: z.number() }),
  output: z.string(),
  effect: "read",
  execute: ({ word, count }) => Array.from({ length: count }, (_one, index) => `${word}${index}`).join(" "),
});

const instructions = "You read everything and remember the last of it.";
const goal = "Find out what the harbour decided";
const planOf = (more: object = {}, before: readonly object[] = []) => ({
  steps: [
    ...before,
    {
      id: "read",
      type: "agent",
      agent: { name: "reader", description: "Reads.", instructions, tools: ["write"], limits: { turns: 100 } },
      prompt: "Read it all.",
      ...more,
    },
  ],
});

const marked = (turn: number): string => `turn${turn}-`;
/** Asks for a text a turn, and knows from the call ids which turn it is: those of older turns may be left out. */
const reading = (turns: number, count: number): NonNullable<ModelServerScript["handler"]> => {
  let turn = 0;
  const asked = new Map<string, ScriptedReply>();
  return ({ body }) => {
    const prompt = JSON.stringify(body);
    const known = asked.get(prompt);
    if (known !== undefined) return known;
    turn += 1;
    const reply: ScriptedReply =
      turn > turns ? { text: "Read." } : { toolCalls: [{ name: "write", input: { word: marked(turn), count } }] };
    asked.set(prompt, reply);
    return reply;
  };
};

const asks = ({ requests }: ModelServer): readonly ModelServerRequest[] =>
  requests.filter(({ path }) => path === "/v1/messages");
const textOf = ({ body }: ModelServerRequest): string => JSON.stringify([body["system"], body["messages"]]);
const small: TaskSettingsInput = { contextWindowLimit: 6_000 };

describe("an agent whose history passes its context", () => {
  test("leaves out the oldest results, keeps what it was told to do and its last turns, and seldom changes its beginning", async () => {
    const { runPlan, traces, server: models } = await open({ handler: reading(30, 150) });
    const { ref, task } = await runPlan(planOf(), small);
    expect(task.state).toBe("completed");
    const sent = asks(models);
    expect(sent).toHaveLength(31);
    for (const [index, request] of sent.entries()) {
      const text = textOf(request);
      expect(text.length / 4).toBeLessThan(6_000);
      for (const part of [instructions, goal, "Read it all."]) expect(text).toContain(part);
      for (const turn of [index - 1, index]) if (turn > 0) expect(text).toContain(`${marked(turn)}149`);
    }
    expect(textOf(sent.at(-1) as ModelServerRequest)).not.toContain(`${marked(1)}149`);
    const compactions = await traces(ref, "context-compacted");
    expect(compactions.length).toBeGreaterThan(2);
    expect(compactions.length).toBeLessThan(12);
    for (const { data } of compactions) expect(Number(data["tokensAfter"])).toBeLessThan(Number(data["tokensBefore"]));
  });

  test("recalls in a few words what it did in turns that are left out whole", async () => {
    const { runPlan, server: models } = await open({ handler: reading(60, 40) });
    const { task } = await runPlan(planOf(), { contextWindowLimit: 3_000 });
    expect(task.state).toBe("completed");
    const text = textOf(asks(models).at(-1) as ModelServerRequest);
    expect(text).toContain("turns that are left out here");
    expect(text).toContain(marked(58));
  });

  test("asks with the same prompt again when its attempt breaks off", async () => {
    let count = 0;
    const failPoint = (name: FailPoint): void => {
      if (name === "after-model-reply" && ++count === 20) throw new Error("broken off");
    };
    const { runPlan, steps, server: models } = await open({ handler: reading(30, 150) }, failPoint);
    const { ref } = await runPlan(planOf(), small);
    expect((await steps(ref)).get("read")).toMatchObject({ state: "completed", attemptNo: 2 });
    const sent = asks(models).map(textOf);
    expect(sent).toHaveLength(32);
    expect(sent[20]).toBe(sent[19]);
  });

  test("shortens its prompt once where the provider finds it too long, and does not try for ever", async () => {
    const once = await open({
      rules: [{ contains: `${marked(4)}`, times: 1, reply: { fault: { kind: "context-too-long" } } }],
      handler: reading(5, 150),
    });
    const { ref, task } = await once.runPlan(planOf());
    expect(task.state).toBe("completed");
    expect(await once.traces(ref, "context-compacted")).toHaveLength(1);
    const [first = "", second = ""] = asks(once.server).map(textOf).slice(4);
    expect(second.length).toBeLessThan(first.length);
    await once.close();
    await once.server.close();
    const always = await open({
      rules: [{ contains: `${marked(4)}`, reply: { fault: { kind: "context-too-long" } } }],
      handler: reading(5, 150),
    });
    const { ref: other } = await always.runPlan(planOf());
    expect((await always.steps(other)).get("read")?.error).toMatchObject({ code: "context-too-large" });
    expect(asks(always.server)).toHaveLength(6);
  });

  test("whose last turns alone do not fit says so, and asks nobody", async () => {
    const { runPlan, steps, server: models } = await open({ handler: reading(5, 2_000) });
    const { ref } = await runPlan(planOf(), { contextWindowLimit: 2_000 });
    expect((await steps(ref)).get("read")?.error).toMatchObject({
      code: "context-too-large",
      message: expect.stringContaining("last turns"),
    });
    expect(asks(models)).toHaveLength(1);
  });

  test("whose material does not fit its first prompt has it summarised before it begins", async () => {
    const source = { id: "notes", type: "tool", tool: "write", arguments: { word: "note", count: 4_000 } };
    const {
      runPlan,
      steps,
      server: models,
    } = await open({
      rules: [{ contains: "You condense material", reply: { text: "The notes say: closed on Friday." } }],
      fallback: { text: "It is closed." },
    });
    const { ref, task } = await runPlan(planOf({ depends_on: ["notes"] }, [source]), small);
    expect(task.state).toBe("completed");
    expect((await steps(ref)).get("read/summary")).toMatchObject({ state: "completed" });
    expect(textOf(asks(models).at(-1) as ModelServerRequest)).toContain("closed on Friday");
  });
});

describe("a result that is too long to be told whole", () => {
  const readOn = (call: number, from: number) => ({ name: "results_read", input: { call, from } });
  const long = { name: "write", input: { word: "word", count: 40_000 } };

  test("is told by its beginning, and read on from the ledger, also after a crash; nothing is called again", async () => {
    let isBroken = false;
    let calls = 0;
    const failPoint = (name: FailPoint): void => {
      if (name !== "before-move" || isBroken || ++calls < 4) return;
      isBroken = true;
      throw new Error("broken off");
    };
    const replies: readonly ScriptedReply[] = [
      { toolCalls: [long] },
      { toolCalls: [readOn(2, 100_000), readOn(7, 0), readOn(2, 10_000_000)] },
      { toolCalls: [readOn(2, 20_000)] },
    ];
    const handler: NonNullable<ModelServerScript["handler"]> = ({ body }) => {
      const turn = (body["messages"] as { role: string }[]).filter(({ role }) => role === "assistant").length;
      return replies[turn] ?? { text: "Read." };
    };
    const { runPlan, traces, steps, server: models } = await open({ handler }, failPoint);
    const { ref, task } = await runPlan(planOf());
    expect(task.state).toBe("completed");
    expect((await steps(ref)).get("read")?.attemptNo).toBe(2);
    const told = asks(models).map(textOf);
    expect(told[1]).toContain("word0 word1 ");
    expect(told[1]).toMatch(/the first 20000 of \d{6} characters; results\.read has the rest, call 2/);
    expect(told[1]?.length).toBeLessThan(30_000);
    expect(told[2]).toMatch(/from: 100000/);
    expect(told[2]).toContain("there is no result with the number 7");
    expect(told.at(-1)).toContain("from: 20000");
    const offered = asks(models).map(({ body }) => (body["tools"] as { name: string }[]).map(({ name }) => name));
    expect(offered[0]).toEqual(["write"]);
    expect(offered[1]).toEqual(["write", "results_read"]);
    const called = (await traces(ref, "tool-called")).map(({ data }) => data["tool"]);
    expect(called.filter((tool) => tool === "write")).toHaveLength(1);
  });
});
