/** After an outage: what is out of attempts is found, and a person brings every task to its end. */
import { defaultTenantId } from "@baton/core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { expectRowsToEqualTraces } from "./oracle.ts";
import { type ScriptedModel, startScriptedModel } from "./scripted-model.ts";
import { onEachBackend, type Stack, startStack, until } from "./stack.ts";

onEachBackend("dead letters", (backend) => {
  let model: ScriptedModel;
  let stack: Stack;
  beforeAll(async () => {
    model = await startScriptedModel();
    stack = await startStack({ backend, workers: 2, env: model.env });
  });
  afterAll(async () => {
    await stack?.stop();
    await model?.close();
  });

  const outage = { fault: { kind: "server-error" } } as const;
  const once = { max_attempts: 1 };
  const reaches = (taskId: string, state: string) =>
    until(`task ${taskId} is ${state}`, async () => (await stack.client.getTask(taskId)).state === state);
  const tellOneStory = (taskId: string) => expectRowsToEqualTraces(stack.store, { tenantId: defaultTenantId, taskId });
  const groupsOf = async (taskId?: string) => {
    const groups = [];
    for await (const group of stack.client.deadLetters(taskId === undefined ? {} : { taskId })) groups.push(group);
    return groups;
  };

  it("one is listed, resolved with an output, and its task goes on to its end over the branch that the output decides", async () => {
    const word = model.script({ reason: outage });
    const { id } = await stack.client.createTask({
      goal: word,
      plan: {
        steps: [
          { id: "judge", type: "llm", prompt: "Is it good?", retry: once },
          {
            id: "praise",
            type: "tool",
            tool: "artifact.write",
            arguments: { name: "praise.txt", content: { $cel: "steps.judge.output.words" } },
            depends_on: [{ step: "judge", when: { $cel: "steps.judge.output.good" } }],
          },
          {
            id: "blame",
            type: "tool",
            tool: "clock.now",
            depends_on: [{ step: "judge", when: { $cel: "!steps.judge.output.good" } }],
          },
        ],
      },
    });
    await reaches(id, "failed");
    const [group] = await groupsOf(id);
    expect(group).toMatchObject({ code: "provider-unavailable", type: "llm", count: 1, letters: [{ task: { id } }] });
    const letter = await stack.client.getDeadLetter(group?.letters[0]?.id ?? "");
    expect(letter.attempts).toMatchObject([{ attemptNo: 1, end: "failed", error: { code: "provider-unavailable" } }]);
    const answer = await stack.client.resolveDeadLetter(letter.id, {
      output: { good: true, words: "Well done." },
      reason: "judged by hand",
    });
    expect(answer).toMatchObject({ state: "completed", changed: true });
    await reaches(id, "completed");
    const { artifacts } = await stack.client.request("listArtifacts", { params: { id } });
    const { content } = await stack.client.downloadArtifact(id, artifacts[0]?.id ?? "");
    expect(new TextDecoder().decode(content)).toBe("Well done.");
    await tellOneStory(id);
  });

  it("all of one cause are retried at once when the cause is mended, and every task completes", async () => {
    // Not an outage: of one that all see, the gate lets a call in 5 s find out, and the others wait without failing.
    const expired = { fault: { kind: "unauthorized" } } as const;
    const words = Array.from({ length: 20 }, () => model.script({ reason: [expired, { text: "At last." }] }));
    const ids = await Promise.all(
      words.map(async (word) => {
        const steps = [
          { id: "answer", type: "llm" as const, prompt: "Answer.", retry: once },
          { id: "after", type: "tool" as const, tool: "clock.now", depends_on: ["answer"] },
        ];
        return (await stack.client.createTask({ goal: word, plan: { steps, result: { $cel: "steps.answer.output" } } }))
          .id;
      }),
    );
    await Promise.all(ids.map((id) => reaches(id, "failed")));
    const groups = await groupsOf();
    expect(groups.map(({ count }) => count)).toEqual([20]);
    const retried = await stack.client.retryDeadLetters({
      group: groups[0]?.id ?? "",
      reason: "the key is valid again",
    });
    expect(retried).toEqual({ retriedSteps: 20, retriedTasks: 20 });
    await Promise.all(ids.map((id) => reaches(id, "completed")));
    expect(await groupsOf()).toEqual([]);
    for (const id of ids) {
      expect((await stack.client.getTask(id)).result).toBe("At last.");
      await tellOneStory(id);
    }
  });
});
