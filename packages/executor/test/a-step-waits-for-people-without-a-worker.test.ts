import { defaultTenantId } from "@baton/core";
import type { TaskRef } from "@baton/core";
import { compareWithRows, reduce } from "@baton/core/events";
import { planSpec } from "@baton/core/plan";
import type { QuestionRow, QuestionWord } from "@baton/store";
import type { ModelServer, ModelServerScript, ScriptedReply } from "@baton/testing/model-server";
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

/** A mail server outside the system. */
function mails() {
  const sent: { readonly key: string; readonly to: string }[] = [];
  const tool = defineTool({
    name: "mail.send",
    description: "Sends a mail",
    input: z.strictObject({ to: z.string(), text: z.string() }),
    output: z.string(),
    effect: "irreversible",
    execute({ to }, { idempotencyKey }) {
      sent.push({ key: idempotencyKey, to });
      return `sent to ${to}`;
    },
  });
  return { tool, sent };
}

async function open(script?: ModelServerScript) {
  const mail = mails();
  server = script === undefined ? undefined : await startModelServer(script);
  const opened = await openBench({
    postgresUrl: inject("postgresUrl"),
    tools: [mail.tool],
    ...(server !== undefined && { modelUrl: server.url }),
  });
  bench = opened;
  return { ...opened, sent: mail.sent, requests: () => server?.requests ?? [] };
}

const waiting = ({ state }: { readonly state: string }): boolean => state === "waiting";
const questionsOf = ({ store }: Bench, { taskId }: TaskRef): Promise<readonly QuestionRow[]> =>
  store.listQuestions({ tenantId: defaultTenantId, taskId, limit: 100 });
const say = ({ store }: Bench, { questionId }: QuestionRow, word: object, by = "key-1") =>
  store.answerQuestion(defaultTenantId, questionId, { by, name: `name of ${by}`, ...word } as QuestionWord);

const approvals = [{ effects: ["irreversible" as const] }];
const mailPlan = { steps: [{ id: "mail", type: "tool", tool: "mail.send", arguments: { to: "all", text: "hello" } }] };

/** A task whose one step waits, and its question. */
async function asked(opened: Bench, rules: readonly object[] = approvals, plan: unknown = mailPlan) {
  const ref = await opened.create(planSpec.parse(plan), { approvals: rules as typeof approvals });
  await opened.run(ref, waiting);
  const [question] = await questionsOf(opened, ref);
  if (question === undefined) throw new Error("Nothing was asked.");
  return { ref, question };
}

describe("a call that needs an approval", () => {
  test("is not made before it, and then exactly as it was shown; meanwhile nothing runs", async () => {
    const opened = await open();
    const { ref, question } = await asked(opened);
    expect(opened.sent).toEqual([]);
    expect(opened.executor.attempts()).toEqual([]);
    expect(question).toMatchObject({
      kind: "approval",
      state: "open",
      subject: { tool: "mail.send", effect: "irreversible", arguments: { to: "all", text: "hello" } },
    });
    expect(await opened.store.whyTask(ref)).toMatchObject([
      {
        on: "approval",
        questionId: question.questionId,
        stepKey: "mail",
        detail: expect.stringContaining("mail.send("),
        movedBy: `POST /api/v1/questions/${question.questionId}/approve or /reject`,
      },
    ]);
    expect(await say(opened, question, { act: "approve" })).toMatchObject({
      answer: "changed",
      questionState: "approved",
    });
    const task = await opened.run(ref);
    expect(task.state).toBe("completed");
    expect(opened.sent).toEqual([{ key: expect.any(String), to: "all" }]);
    const step = (await opened.steps(ref)).get("mail");
    expect(step).toMatchObject({ state: "completed", attemptNo: 2, failureCount: 0, output: "sent to all" });
    const traces = await opened.store.listTaskTraces(ref, { limit: 1_000 });
    const steps = await opened.store.listTaskSteps(ref, { limit: 100 });
    expect(compareWithRows(reduce(traces), { task, steps })).toEqual([]);
  });

  test("is made with the arguments that a person edited", async () => {
    const opened = await open();
    const { ref, question } = await asked(opened);
    await say(opened, question, {
      act: "approve",
      arguments: { to: "team", text: "hello" },
      reason: "internally first",
    });
    await opened.run(ref);
    expect(opened.sent.map(({ to }) => to)).toEqual(["team"]);
    expect((await opened.traces(ref, "question-closed")).map(({ data }) => data)).toMatchObject([
      { state: "approved", edited: true, by: "key-1", reason: "internally first" },
    ]);
  });

  test("that was rejected is out of attempts, and asks anew when a person retries it", async () => {
    const opened = await open();
    const { ref, question } = await asked(opened);
    await say(opened, question, { act: "reject", reason: "not now" });
    expect(await opened.run(ref)).toMatchObject({ state: "failed" });
    const step = (await opened.steps(ref)).get("mail");
    expect(step?.error).toMatchObject({ code: "approval-rejected", message: expect.stringContaining("not now") });
    await opened.store.retryTask(ref);
    await opened.run(ref, waiting);
    const again = (await questionsOf(opened, ref)).filter(({ state }) => state === "open");
    expect(again).toHaveLength(1);
    await say(opened, again[0] as QuestionRow, { act: "approve" });
    expect(await opened.run(ref)).toMatchObject({ state: "completed" });
    expect(opened.sent).toHaveLength(1);
  });

  test("that nobody answered in time was not rejected: it says so, and asks anew when a person retries it", async () => {
    const opened = await open();
    const rules = [{ tools: ["mail.*"], expires_ms: 1_000 }];
    const { ref, question } = await asked(opened, rules);
    await expect.poll(async () => (await opened.store.expireQuestions()).questions, { timeout: 20_000 }).toBe(1);
    expect(await say(opened, question, { act: "approve" })).toMatchObject({
      answer: "illegal",
      questionState: "expired",
    });
    expect(await opened.run(ref)).toMatchObject({ state: "failed" });
    expect((await opened.steps(ref)).get("mail")?.error).toMatchObject({ code: "approval-expired" });
    expect(opened.sent).toEqual([]);
    await opened.store.retryTask(ref);
    await opened.run(ref, waiting);
    expect((await questionsOf(opened, ref)).map(({ state }) => state).toSorted()).toEqual(["expired", "open"]);
  });

  test("with a quorum waits for as many of its approvers, each once, and for the same arguments", async () => {
    const opened = await open();
    const rules = [{ effects: ["irreversible"], approvers: ["key-1", "name of key-2", "key-3"], quorum: 2 }];
    const { ref, question } = await asked(opened, rules);
    const edited = { to: "team", text: "hello" };
    expect(await say(opened, question, { act: "approve" }, "key-9")).toMatchObject({ answer: "forbidden" });
    expect(await say(opened, question, { act: "approve" }, "key-1")).toMatchObject({ questionState: "open", votes: 1 });
    expect(await say(opened, question, { act: "approve" }, "key-1")).toMatchObject({ questionState: "open", votes: 1 });
    // Other arguments are another call: the approval before it does not count for them.
    expect(await say(opened, question, { act: "approve", arguments: edited }, "key-2")).toMatchObject({
      questionState: "open",
      votes: 1,
    });
    expect(await say(opened, question, { act: "approve", arguments: edited }, "key-3")).toMatchObject({
      questionState: "approved",
      votes: 2,
    });
    await opened.run(ref);
    expect(opened.sent.map(({ to }) => to)).toEqual(["team"]);
  });

  test("is decided by a condition on its arguments; one that cannot be judged asks a person", async () => {
    const opened = await open();
    const rule = (when: string) => [{ tools: ["mail.send"], when: { $cel: when } }];
    const passing = await opened.create(planSpec.parse(mailPlan), { approvals: rule("input.to == 'somebody else'") });
    expect(await opened.run(passing)).toMatchObject({ state: "completed" });
    await asked(opened, rule("input.to == 'all'"));
    await asked(opened, rule("input.cc.size() > 1"));
    expect(opened.sent).toHaveLength(1);
  });

  test("stays unmade when its task is cancelled, and its question is withdrawn", async () => {
    const opened = await open();
    const { ref, question } = await asked(opened);
    await opened.store.cancelTask(ref, { by: "somebody" });
    expect(await questionsOf(opened, ref)).toMatchObject([{ state: "withdrawn" }]);
    expect(await say(opened, question, { act: "approve" })).toMatchObject({
      answer: "illegal",
      taskState: "cancelled",
    });
    expect(opened.sent).toEqual([]);
  });

  test("is decided once, whoever speaks at the same time", async () => {
    const opened = await open();
    const { ref, question } = await asked(opened);
    const words = Array.from({ length: 12 }, (_, at) =>
      at % 2 === 0 ? { act: "approve" } : { act: "reject", reason: "no" },
    );
    const said = await Promise.all(words.map((word, at) => say(opened, question, word, `key-${at}`)));
    expect(said.filter((each) => each?.answer === "changed")).toHaveLength(1);
    const decided = (await questionsOf(opened, ref))[0]?.state;
    expect(await opened.run(ref)).toMatchObject({ state: decided === "approved" ? "completed" : "failed" });
    expect(opened.sent).toHaveLength(decided === "approved" ? 1 : 0);
  });

  test("of another tenant does not exist", async () => {
    const opened = await open();
    const { question } = await asked(opened);
    const other = "00000000-0000-7000-8000-0000000000ff";
    expect(await opened.store.getQuestion(other, question.questionId)).toBeUndefined();
    const word = { act: "approve", by: "k", name: "k" } as const;
    expect(await opened.store.answerQuestion(other, question.questionId, word)).toBeUndefined();
  });
});

const call = (name: string, input: unknown) => ({ name, input });
const byTurn =
  (...replies: readonly ScriptedReply[]): NonNullable<ModelServerScript["handler"]> =>
  ({ body }) => {
    const said = (body["messages"] as readonly { readonly role: string }[]).filter(({ role }) => role === "assistant");
    return replies[said.length] ?? { text: "The script is over." };
  };
const agentPlan = (more: object = {}) => ({
  steps: [
    {
      id: "write",
      type: "agent",
      agent: {
        name: "writer",
        description: "Writes mails.",
        instructions: "You write mails.",
        tools: ["mail.send", "ask_user"],
        ...more,
      },
      prompt: "Tell them.",
    },
  ],
});

describe("an agent", () => {
  test("that asks its user waits without a worker, makes the other calls of the turn once, and goes on with the answer", async () => {
    const opened = await open({
      handler: byTurn(
        {
          toolCalls: [
            call("mail_send", { to: "Ann", text: "hello" }),
            call("ask_user", { question: "Which date?", options: ["Friday", "Monday"] }),
          ],
        },
        { text: "Done." },
      ),
    });
    const ref = await opened.create(planSpec.parse(agentPlan()));
    await opened.run(ref, waiting);
    expect(opened.executor.attempts()).toEqual([]);
    expect(opened.sent).toHaveLength(1);
    const [question] = await questionsOf(opened, ref);
    expect(question).toMatchObject({
      kind: "question",
      subject: { text: "Which date?", options: ["Friday", "Monday"] },
    });
    expect(await opened.store.whyTask(ref)).toMatchObject([{ on: "person", detail: "It asks: Which date?" }]);
    expect(await say(opened, question as QuestionRow, { act: "approve" })).toMatchObject({ answer: "illegal" });
    await say(opened, question as QuestionRow, { act: "answer", answer: "On Friday." });
    expect(await opened.run(ref)).toMatchObject({ state: "completed" });
    expect(opened.sent).toHaveLength(1);
    const [, second] = opened.requests().filter(({ path }) => path === "/v1/messages");
    expect(JSON.stringify(second?.body["messages"])).toContain("On Friday.");
    expect(opened.requests().filter(({ path }) => path === "/v1/messages")).toHaveLength(2);
  });

  test("is told of a rejection with its reason, and goes on", async () => {
    const opened = await open({
      handler: byTurn(
        { toolCalls: [call("mail_send", { to: "all", text: "hello" })] },
        { toolCalls: [call("mail_send", { to: "team", text: "hello" })] },
        { text: "Only the team knows." },
      ),
    });
    const ref = await opened.create(planSpec.parse(agentPlan({ approvals: [{ effects: ["irreversible"] }] })));
    await opened.run(ref, waiting);
    const [first] = await questionsOf(opened, ref);
    await say(opened, first as QuestionRow, { act: "reject", reason: "too many people" });
    await opened.run(ref, waiting);
    const [second] = await questionsOf(opened, ref);
    expect(second).toMatchObject({ state: "open", subject: { arguments: { to: "team" } } });
    await say(opened, second as QuestionRow, { act: "approve" });
    expect(await opened.run(ref)).toMatchObject({ state: "completed" });
    expect(opened.sent.map(({ to }) => to)).toEqual(["team"]);
    expect(JSON.stringify(opened.requests()[1]?.body)).toContain("too many people");
  });

  test("whose question nobody answers in time is told that, and goes on", async () => {
    const opened = await open({
      handler: byTurn({ toolCalls: [call("ask_user", { question: "Which date?" })] }, { text: "I chose Friday." }),
    });
    const ref = await opened.create(planSpec.parse(agentPlan({ limits: { answer_ms: 1_000 } })));
    await opened.run(ref, waiting);
    await expect.poll(async () => (await opened.store.expireQuestions()).questions, { timeout: 20_000 }).toBe(1);
    expect(await opened.run(ref)).toMatchObject({ state: "completed" });
    expect(JSON.stringify(opened.requests()[1]?.body)).toContain("Nobody answered in time.");
  });
});
