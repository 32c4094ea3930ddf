import { classifyError } from "@baton/core/retry";
import { describe, expect, it } from "vitest";
import { attemptOf, outputOf } from "./attempt.fixture.ts";
import { goodPlan, offline, promptOf, scripted } from "./models.fixture.ts";

describe("a plan step", () => {
  it("adds the steps with ranks by the critical path, the result and the estimate", async () => {
    const { models } = await scripted({ replies: [{ object: { steps: [] } }, { object: goodPlan }] });
    const { perform, traces, calls } = attemptOf("plan", { models });
    const performed = await perform();
    expect(performed).toMatchObject({
      performed: "output",
      output: { stepCount: 2, offline: false, repairs: 1 },
      result: { $cel: "steps.report.output" },
      estimatedDurationMs: 9_000,
      adds: [
        { stepId: "new-1", key: "find", kind: "user", type: "tool", pool: "default", rank: 9_000, dependsOn: [] },
        { stepId: "new-2", key: "report", type: "llm", rank: 8_000, dependsOn: [{ fromStepId: "new-1" }] },
      ],
    });
    expect(calls).toEqual(["plan", "plan-repair"]);
    expect(traces.map(({ type }) => type)).toEqual(["plan-rejected", "plan-decomposed"]);
  });

  it("keeps to the tools and the number of steps of the task", async () => {
    const { models, server } = await scripted({ fallback: { object: goodPlan } });
    const settings = { tools: ["clock.now"], maxSteps: 1 };
    const failure = await attemptOf("plan", { models, settings }).perform().catch(classifyError);
    expect(failure).toMatchObject({ outcome: "fail", code: "planning-failed" });
    expect(promptOf(server.requests[0])).toContain("clock.now");
    expect(promptOf(server.requests[0])).not.toContain("artifact.write");
  });

  it("does not take the name of the step that plans", async () => {
    const own = { steps: [{ id: "plan", type: "llm", prompt: "p" }] };
    const { models } = await scripted({ replies: [{ object: own }, { object: goodPlan }] });
    expect(await attemptOf("plan", { models }).perform()).toMatchObject({ output: { repairs: 1 } });
  });

  it("shows the plan and adds nothing of it when only the plan is wanted", async () => {
    const { models } = await scripted({ fallback: { object: goodPlan } });
    const performed = await attemptOf("plan", { models, settings: { planOnly: true } }).perform();
    expect(performed).toMatchObject({ output: { plan: { steps: goodPlan.steps }, offline: false } });
    expect(performed).not.toHaveProperty("adds");
  });

  it("works offline, and says so", async () => {
    const task = { goal: "List all Markdown files in docs" };
    const { perform, traces } = attemptOf("plan", { models: offline, task });
    expect(await perform()).toMatchObject({ output: { offline: true } });
    expect(traces).toMatchObject([{ type: "plan-decomposed", data: { offline: true } }]);
  });
});

describe("an evaluation step", () => {
  const outputs = [
    outputOf("plan", { stepCount: 2 }),
    outputOf("find", ["a.md"]),
    outputOf("read[0]", "an item"),
    outputOf("think/summary", "a summary"),
    outputOf("read", undefined, { blobId: "blob", sizeBytes: 70_000 }),
    outputOf("huge", undefined, { blobId: "other", sizeBytes: 9_000_000 }),
    outputOf("evaluate[0]", { verdict: "revise" }),
  ];
  const blobs = { blob: "kept by reference" };

  it("shows the plan's own steps, and completes when the goal is reached", async () => {
    const { models, server } = await scripted({ fallback: { object: { verdict: "done", reason: "All there." } } });
    const { perform, traces } = attemptOf("evaluate", { models, outputs, blobs });
    const performed = await perform();
    expect(performed).toEqual({
      performed: "output",
      output: { verdict: "done", reason: "All there.", offline: false },
    });
    const prompt = promptOf(server.requests[0]);
    for (const part of ["a.md", "kept by reference", "9000000 bytes"]) expect(prompt).toContain(part);
    for (const part of ["an item", "a summary", "stepCount"]) expect(prompt).not.toContain(part);
    expect(traces).toMatchObject([{ type: "progress-evaluated", data: { verdict: "done" } }]);
  });

  it("adds revised steps that depend on existing ones", async () => {
    const steps = [{ id: "again", type: "llm", prompt: { $cel: "steps.read.output" }, depends_on: ["read"] }];
    const { models } = await scripted({ fallback: { object: { verdict: "revise", reason: "More.", steps } } });
    expect(await attemptOf("evaluate", { models, outputs, blobs }).perform()).toMatchObject({
      output: { verdict: "revise" },
      adds: [
        { stepId: "new-1", key: "again", kind: "user", references: ["read"], dependsOn: [{ fromStepId: "id-read" }] },
      ],
    });
  });

  it("gives up as a failure that is not tried again, with the reason", async () => {
    const { models } = await scripted({ fallback: { object: { verdict: "give-up", reason: "No such page." } } });
    const { perform, traces } = attemptOf("evaluate", { models, outputs, blobs });
    const failure = await perform().catch(classifyError);
    expect(failure).toMatchObject({ outcome: "fail", code: "gave-up", message: "No such page." });
    expect(traces).toMatchObject([{ type: "progress-evaluated", data: { verdict: "give-up" } }]);
  });

  it("does not revise more often than the task allows", async () => {
    const steps = [{ id: "again", type: "llm", prompt: "p" }];
    const { models } = await scripted({ fallback: { object: { verdict: "revise", reason: "More.", steps } } });
    const parts = { models, outputs, blobs, task: { revisionCount: 5 } };
    const failure = await attemptOf("evaluate", parts).perform().catch(classifyError);
    expect(failure).toMatchObject({ outcome: "fail", code: "planning-failed" });
  });

  it("shows a step that was skipped without an output", async () => {
    const skipped = [outputOf("a", 1), outputOf("b", undefined, { state: "skipped" })];
    const { models, server } = await scripted({ fallback: { object: { verdict: "done", reason: "Fine." } } });
    await attemptOf("evaluate", { models, outputs: skipped }).perform();
    expect(promptOf(server.requests[0])).toContain('id="b" state="skipped"');
  });
});

describe("a reply step", () => {
  const task = { goal: "And in winter?", threadId: "thread" };
  const messages = [
    { role: "user", text: "How warm is it in Rome?" },
    { role: "assistant", text: "About 30 degrees." },
    { role: "user", text: "And in winter?" },
  ] as const;

  it("streams its answer and keeps the whole of it, with the thread before it", async () => {
    const { models, server } = await scripted({ fallback: { chunks: ["About ", "ten."] } });
    const { perform, deltas } = attemptOf("reply", { models, task, messages });
    expect(await perform()).toMatchObject({ performed: "output", output: { text: "About ten.", offline: false } });
    expect(deltas).toEqual(["About ", "ten."]);
    expect(server.requests[0]?.body["messages"]).toMatchObject([
      { role: "user" },
      { role: "assistant" },
      { role: "user" },
    ]);
    expect(promptOf(server.requests[0])).toMatch(/Rome\?[\s\S]*30 degrees[\s\S]*winter\?/);
  });

  it("is not shown its own message twice, and knows of attachments", async () => {
    const { models, server } = await scripted({ fallback: { text: "Ten." } });
    const input = { attachments: [{ name: "rome.pdf", mediaType: "application/pdf", url: "data:," }] };
    const parts = { models, messages, task: { ...task, goal: "And in winter, then?", input } };
    await attemptOf("reply", parts).perform();
    expect(server.requests[0]?.body["messages"]).toHaveLength(3);
    expect(promptOf(server.requests[0])).toContain("rome.pdf (application/pdf)");
  });

  it("answers a message without a thread, also offline", async () => {
    const { perform, deltas } = attemptOf("reply", { models: offline, task: { goal: "hello" } });
    const performed = await perform();
    expect(performed).toMatchObject({ output: { offline: true, text: expect.stringMatching(/^\[offline model\]/) } });
    expect(deltas.length).toBeGreaterThan(0);
  });

  it("condenses what is older than fits, and stays below the limit", async () => {
    const long = Array.from({ length: 30 }, (_, no) => [
      { role: "user" as const, text: `Question ${no}? ${"word ".repeat(60)}` },
      { role: "assistant" as const, text: `Answer ${no}. ${"word ".repeat(60)}` },
    ]).flat();
    const { models, server } = await scripted({
      rules: [{ contains: "You condense material", reply: { text: "They spoke about words." } }],
      fallback: { text: "Ten." },
    });
    const parts = { models, task, messages: [...long, ...messages], settings: { contextWindowLimit: 2_000 } };
    const { perform, calls, traces } = attemptOf("reply", parts);
    await perform();
    expect(calls.at(-1)).toBe("reply");
    expect(calls.filter((purpose) => purpose === "summarize").length).toBeGreaterThan(1);
    expect(traces.map(({ type }) => type)).toEqual(["context-summarised"]);
    const prompts = server.requests.filter(({ path }) => path === "/v1/messages").map(promptOf);
    for (const prompt of prompts) expect(prompt.length / 4).toBeLessThanOrEqual(1_600);
    expect(prompts.at(-1)).toMatch(/They spoke about words\.[\s\S]*30 degrees[\s\S]*winter\?/);
  });

  it.each([
    ["refused", { fault: { kind: "refusal" } }, { outcome: "fail", code: "model-refused" }],
    ["cut", { text: "half", lengthLimited: true }, { outcome: "retry", code: "output-cut" }],
  ] as const)("that was %s is no reply", async (_how, reply, expected) => {
    const { models } = await scripted({ fallback: reply });
    expect(await attemptOf("reply", { models, task }).perform().catch(classifyError)).toMatchObject(expected);
  });

  it("to a message that leaves no room is context-too-large", async () => {
    const parts = { task: { goal: "word ".repeat(3_000) }, settings: { contextWindowLimit: 1_000 } };
    const failure = await attemptOf("reply", { models: offline, ...parts })
      .perform()
      .catch(classifyError);
    expect(failure).toMatchObject({ outcome: "fail", code: "context-too-large" });
  });
});
