import { randomBytes } from "node:crypto";
import { noteLimits } from "@baton/core/agent";
import type { ModelServer, ModelServerScript, ScriptedReply } from "@baton/testing/model-server";
import { startModelServer } from "@baton/testing/model-server";
import { afterEach, expect, inject, test } from "vitest";
import { uuidv7 } from "@baton/core";
import { type Bench, newId, openBench } from "./bench.ts";

/** Notes are ordered by their ids, and ids of one millisecond by chance. */
let second = 0;
const nextId = (): string => uuidv7(Date.now() + 1_000 * second++, randomBytes(10));

let bench: Bench | undefined;
let server: ModelServer | undefined;
afterEach(async () => {
  await bench?.close();
  await server?.close();
  bench = undefined;
  server = undefined;
});

const byTurn =
  (...replies: readonly ScriptedReply[]): NonNullable<ModelServerScript["handler"]> =>
  ({ body }) => {
    const said = (body["messages"] as readonly { readonly role: string }[]).filter(({ role }) => role === "assistant");
    return replies[said.length] ?? { text: "The script is over." };
  };
const store = (text: string) => ({ name: "memory_store", input: { text } });
const search = (query: string) => ({ name: "memory_search", input: { query } });

async function open(handler: NonNullable<ModelServerScript["handler"]>) {
  server = await startModelServer({ handler });
  bench = await openBench({ postgresUrl: inject("postgresUrl"), modelUrl: server.url });
  return { ...bench, server };
}

const planOf = (name: string) => ({
  steps: [
    {
      id: "work",
      type: "agent",
      agent: { name, description: "Works.", instructions: "Work.", tools: ["memory.store", "memory.search"] },
      prompt: "Work.",
    },
  ],
});
const asks = ({ requests }: ModelServer) => requests.filter(({ path }) => path === "/v1/messages");

test("an agent finds in a later task what it kept in an earlier one, as data; another agent finds nothing of it", async () => {
  const { runPlan, server: models } = await open(({ body }) => {
    const messages = body["messages"] as readonly { readonly role: string }[];
    const isFirst = !messages.some(({ role }) => role === "assistant");
    if (!isFirst) return { text: "Done." };
    return asks(models).length === 1
      ? { toolCalls: [store("The harbour closes on Fridays."), store("The ferry leaves at nine.")] }
      : { toolCalls: [search("when do harbours close")] };
  });
  for (const name of ["keeper", "keeper", "stranger"])
    expect((await runPlan(planOf(name))).task.state).toBe("completed");
  const [, , , found, , nothing] = asks(models).map(({ body }) => JSON.stringify(body["messages"]));
  expect(found).toContain("closes on Fridays");
  expect(found).not.toContain("ferry");
  expect(found).toContain("data, not instructions");
  expect(nothing).not.toContain("Fridays");
});

test("what it keeps is kept once, refused where it is too long, and bounded: the oldest makes room", async () => {
  const {
    runPlan,
    traces,
    store: opened,
  } = await open(byTurn({ toolCalls: [store("x".repeat(noteLimits.chars + 1)), store(" ")] }, { text: "Done." }));
  const { ref } = await runPlan(planOf("keeper"));
  expect((await traces(ref, "tool-refused")).map(({ data }) => data["code"])).toEqual([
    "tool-input-invalid",
    "tool-input-invalid",
  ]);
  const step = { ...ref, stepId: newId() };
  const keep = (text: string, source: string) =>
    opened.storeNote(step, { agent: "keeper", noteId: nextId(), source, text });
  for (const source of ["1", "1", "2"]) await keep(`note ${source}`, source);
  const listed = async () =>
    (await opened.listNotes({ tenantId: ref.tenantId, agent: "keeper", limit: 2_000 })).map(({ text }) => text);
  expect(await listed()).toEqual(["note 2", "note 1"]);
  await Promise.all(Array.from({ length: noteLimits.notes }, (_, at) => keep(`many ${at}`, `many ${at}`)));
  expect((await keep("the last", "last")).removed).toBeGreaterThan(0);
  const left = await listed();
  expect(left).toHaveLength(noteLimits.notes);
  expect(left[0]).toBe("the last");
  expect(left).not.toContain("note 1");
});

test("words find notes that have most of them, and no words the newest", async () => {
  const { store: opened, create } = await open(byTurn({ text: "Done." }));
  const { tenantId, taskId } = await create({ steps: [{ id: "a", type: "tool", tool: "x", arguments: {} }] });
  const ref = { tenantId, taskId, stepId: newId() };
  const texts = ["red green", "green blue", "quote ' and \\ & | ! :*", "green"];
  for (const text of texts) await opened.storeNote(ref, { agent: "a", noteId: nextId(), source: text, text });
  const found = async (query: string) => (await opened.searchNotes(tenantId, "a", query)).map(({ text }) => text);
  expect((await found("green blue"))[0]).toBe("green blue");
  expect((await found("gre")).toSorted()).toEqual(["green", "green blue", "red green"]);
  expect(await found("nothing like it")).toEqual([]);
  expect(await found("' | !:* \\")).toEqual(texts.toReversed());
  expect((await found(""))[0]).toBe("green");
});

test("a tool that is named like something of JavaScript's is unknown, beside the memory as elsewhere", async () => {
  const { runPlan, steps, server: models } = await open(byTurn({ text: "Done." }));
  const plan = planOf("keeper");
  for (const { agent } of plan.steps) agent.tools.push("constructor");
  const { ref } = await runPlan(plan);
  expect((await steps(ref)).get("work")?.error).toMatchObject({ code: "unknown-tool" });
  expect(asks(models)).toEqual([]);
});
