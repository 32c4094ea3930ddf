/** A call that waits for a person: no worker is held, none has to live, and what was approved is what happens. */
import { defaultTenantId } from "@baton/core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { expectRowsToEqualTraces } from "./oracle.ts";
import { onEachBackend, type Stack, startStack, until } from "./stack.ts";

onEachBackend("approvals", (backend) => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await startStack({ backend, workers: 1 });
  });
  afterAll(() => stack?.stop());

  const reaches = (taskId: string, state: string) =>
    until(`task ${taskId} is ${state}`, async () => (await stack.client.getTask(taskId)).state === state);
  const write = (id: string, content: string) => ({
    ...{ id, type: "tool" as const, tool: "artifact.write" },
    arguments: { name: `${id}.txt`, content },
  });
  const settings = { approvals: [{ tools: ["artifact.*"], when: { $cel: "input.content != 'harmless'" } }] };
  const questionsOf = async (taskId: string) => {
    const questions = [];
    for await (const question of stack.client.questions({ taskId })) questions.push(question);
    return questions;
  };

  it("a worker may die while a call waits; another makes it as it was approved, and steps that need nobody go on", async () => {
    const { id } = await stack.client.createTask({
      plan: {
        steps: [write("a", "harmless"), write("b", "dangerous"), { ...write("c", "harmless"), depends_on: ["b"] }],
      },
      settings,
    });
    await reaches(id, "waiting");
    for (const worker of stack.workers.splice(0)) {
      worker.kill("SIGKILL");
      await worker.exited;
    }
    const [question, ...others] = await questionsOf(id);
    expect(others).toEqual([]);
    expect(question).toMatchObject({ stepKey: "b", state: "open", arguments: { content: "dangerous" } });
    const { waits } = await stack.client.request("whyTask", { params: { id } });
    expect(waits[0]).toMatchObject({
      on: "approval",
      question: { id: question?.id, kind: "approval" },
      movedBy: expect.stringContaining(question?.id ?? ""),
    });
    const edited = { name: "b.txt", content: "mild" };
    expect(await stack.client.approveCall(question?.id ?? "", { arguments: edited })).toMatchObject({
      state: "approved",
    });
    await stack.startWorker();
    await reaches(id, "completed");
    const { artifacts } = await stack.client.request("listArtifacts", { params: { id } });
    const written = artifacts.find(({ name }) => name === "b.txt")?.id ?? "";
    const { content } = await stack.client.downloadArtifact(id, written);
    expect([artifacts.length, new TextDecoder().decode(content)]).toEqual([3, "mild"]);
    await expectRowsToEqualTraces(stack.store, { tenantId: defaultTenantId, taskId: id });
  });

  it("hundreds of calls wait at once on a worker of few slots, and all go on", async () => {
    const ids = await Promise.all(
      Array.from({ length: 30 }, async () => {
        const steps = Array.from({ length: 5 }, (_, at) => write(`s${at}`, "dangerous"));
        return (await stack.client.createTask({ plan: { steps }, settings })).id;
      }),
    );
    await Promise.all(ids.map((id) => reaches(id, "waiting")));
    const open = [];
    for await (const question of stack.client.questions({ state: "open" })) open.push(question);
    expect(open).toHaveLength(150);
    await Promise.all(open.map(({ id }) => stack.client.approveCall(id)));
    await Promise.all(ids.map((id) => reaches(id, "completed")));
    for (const id of ids) await expectRowsToEqualTraces(stack.store, { tenantId: defaultTenantId, taskId: id });
  });
});
