import { BatonError } from "@baton/core";
import { createModels, offlineRef } from "@baton/llm";
import { describe, expect, it } from "vitest";
import { askOffline, reason } from "./offline.fixture.ts";

const notes = `# Meeting notes

We decided to use Redis for wake-ups. Mail ops@example.org until 2026-12-01.

## Links

See https://example.org/docs, and https://example.org/b.

- [ ] Anna writes the changelog
- [x] Bo buys cake
- TODO: measure the queue
`;

describe("an instruction is followed by finding, counting and quoting", () => {
  it.each([
    ["Summarise this file in one sentence.", "- We decided to use Redis for wake-ups."],
    ["List the decisions that this file contains.", "- We decided to use Redis for wake-ups."],
    ["List the TODOs and action items in this file.", "- Anna writes the changelog\n- TODO: measure the queue"],
    ["List the links in this file.", "- https://example.org/docs\n- https://example.org/b"],
    ["List the e-mail addresses in this file.", "- ops@example.org"],
    ["List the dates in this file.", "- 2026-12-01"],
    ["List the headings of this file.", "- Meeting notes\n  - Links"],
    ["What is Redis used for in wake-ups?", "- We decided to use Redis for wake-ups."],
  ])("%s", async (instruction, expected) => {
    expect(await reason(instruction, { "notes.md": notes })).toBe(`[offline model]\n\n### notes.md\n\n${expected}`);
  });

  it("counts words, lines and characters", async () => {
    expect(await reason("Count the words and lines.", { "a.txt": "one two\nthree\n", "b.txt": "" })).toContain(
      "| a.txt | 3 | 2 | 14 |\n| b.txt | 0 | 0 | 0 |\n| total | 3 | 2 | 14 |",
    );
  });

  it("compares two texts line by line", async () => {
    const answer = await reason("Compare these two files.", { a: "same\nold", b: "same\nnew" });
    expect(answer).toContain("1 lines stand in both.");
    expect(answer).toContain("### a\n\n1 lines stand only here.\n\n- old");
    expect(answer).toContain("### b\n\n1 lines stand only here.\n\n- new");
  });

  it("ranks files by size and by time", async () => {
    const files = [
      { path: "a", sizeBytes: 5, modifiedAt: "2026-01-02T00:00:00Z" },
      { path: "b", sizeBytes: 9, modifiedAt: "2026-01-01T00:00:00Z" },
    ];
    const list = { list: JSON.stringify({ files, truncated: false }) };
    const firstRow = async (instruction: string) => (await reason(instruction, list)).split("\n")[4];
    expect(await firstRow("Show the 10 largest of these files.")).toContain("| b | 9 |");
    expect(await firstRow("Show the 10 newest of these files.")).toContain("| a | 5 |");
  });

  it("reads the outputs of earlier steps in every form in which they are handed over", async () => {
    const file = { path: "a.md", text: "We chose Hono.\nstatus: fine", sizeBytes: 3, truncated: false };
    const lined = `path: a.md\ntext:\n${file.text}\n\nsizeBytes: 3\ntruncated: false`;
    const page = `text:\n${file.text}\n\nstatus: 200\nheaders:\n  content-type: text/plain`;
    expect(await reason("List the decisions.", { item: JSON.stringify(file) })).toContain(
      "### a.md\n\n- We chose Hono.",
    );
    expect(await reason("List the decisions.", { item: lined })).toContain("### a.md\n\n- We chose Hono.");
    expect(await reason("Count the lines.", { item: lined })).toContain("| a.md | 5 | 2 |");
    expect(await reason("Count the lines.", { fetch: page })).toContain("| fetch | 5 | 2 |");
    expect(await reason('List the decisions.\n\n<source name="x.md">\nWe chose Hono.\n</source>', {})).toContain(
      "### x.md\n\n- We chose Hono.",
    );
    expect(await reason("List the decisions in this: We chose Hono for the api and nothing else happened.", {})).toBe(
      "[offline model]\n\n- We chose Hono for the api and nothing else happened.",
    );
  });

  it("a report puts what earlier steps found under their sources, and says where nothing was found", async () => {
    const decisions = await reason("List the decisions.", { "a.md": "We chose Hono." });
    const none = await reason("List the TODOs.", { "a.md": "We chose Hono." });
    const report = await reason("Write a report.", { "decisions[0]": decisions, "tasks[0]": none });
    expect(report).toContain("## Decisions\n\n1 in 1 source.\n\n### a.md\n\n- We chose Hono.");
    expect(report).toContain("## Open tasks\n\nNone found.");
    const terms = {
      a: await reason("List the terms of this file.", { "a.md": "A `lease` ends." }),
      b: await reason("List the terms of this file.", { "b.md": "The `lease` and `claim`." }),
    };
    expect(await reason("Write a report.", { "terms[0]": terms.a, "terms[1]": terms.b })).toContain(
      "| claim | b.md |\n| lease | a.md, b.md |",
    );
    expect(await reason("Write a report.", {})).toContain("Nothing was found.");
  });

  it("an empty file is no reason to fail", async () => {
    expect(
      await reason("Summarise this file.", {
        item: JSON.stringify({ path: "empty.md", text: "", sizeBytes: 0, truncated: false }),
      }),
    ).toBe("[offline model]");
  });

  it.each([
    "Translate this into German.",
    "Summarise this and translate it into German.",
    "Write a poem about it.",
    "Suggest three names for the product.",
  ])("%s is refused", async (instruction) => {
    await expect(reason(instruction, { a: notes })).rejects.toMatchObject({ code: "offline-cannot-answer" });
  });

  it("a question that no sentence speaks about is refused, and so is one without material", async () => {
    await expect(reason("Who invented the telephone?", { a: notes })).rejects.toMatchObject({
      code: "offline-cannot-answer",
    });
    await expect(reason("Explain entropy.", {})).rejects.toMatchObject({ code: "offline-cannot-answer" });
  });
});

describe("an output schema is filled from what was found", () => {
  const object = async (
    properties: Record<string, unknown>,
    instruction = "List the decisions.",
    required = Object.keys(properties),
  ) =>
    (
      await askOffline(
        { kind: "reason", goal: "g", instruction, material: [{ name: "notes.md", text: notes }] },
        { outputSchema: { type: "object", properties, required, additionalProperties: false } },
      )
    ).object;
  const strings = { type: "array", items: { type: "string" } };
  const objects = {
    type: "array",
    items: {
      type: "object",
      properties: { decision: { type: "string" }, source: { type: "string" } },
      required: ["decision", "source"],
    },
  };

  it("by the names of its properties", async () => {
    expect(
      await object({
        decisions: objects,
        actionItems: strings,
        links: strings,
        source: { type: "string" },
        title: { type: "string" },
      }),
    ).toEqual({
      decisions: [{ decision: "We decided to use Redis for wake-ups.", source: "notes.md" }],
      actionItems: ["Anna writes the changelog", "TODO: measure the queue"],
      links: ["https://example.org/docs", "https://example.org/b"],
      source: "notes.md",
      title: "Meeting notes",
    });
  });

  it("by the instruction where the name says nothing, and with counts", async () => {
    expect(await object({ findings: strings, count: { type: "integer" }, hasDecisions: { type: "boolean" } })).toEqual({
      findings: ["We decided to use Redis for wake-ups."],
      count: 1,
      hasDecisions: true,
    });
  });

  it("an object of one text is the labelled text", async () => {
    expect(await object({ text: { type: "string" } })).toEqual({
      text: "[offline model]\n\n### notes.md\n\n- We decided to use Redis for wake-ups.",
    });
  });

  it("an optional property that nothing fills is left out; a required one is refused by name", async () => {
    const sentiment = { sentiment: { type: "string", enum: ["good", "bad"] } };
    expect(await object({ ...sentiment, links: strings }, "List the links.", ["links"])).toEqual({
      links: ["https://example.org/docs", "https://example.org/b"],
    });
    await expect(object(sentiment)).rejects.toThrow(/"sentiment"/);
  });
});

describe("deciding, evaluating and replying", () => {
  it.each([
    ["hello", false],
    ["Thanks a lot!", false],
    ["What is a lease?", false],
    ["What does this system do?", false],
    [
      "Read every Markdown file below docs, summarise each one, and write a report that lists the decisions they contain",
      true,
    ],
    ["Fetch https://example.org/a and then write a summary of it", true],
    ["1. list the files\n2. count their words\n3. write a report", true],
    ["Search all folders for TODOs and build a document from them", true],
  ])("%s → orchestrate %s", async (message, orchestrate) => {
    const { object } = await askOffline({ kind: "decide", message });
    expect(object).toMatchObject({
      orchestrate,
      confidence: expect.any(Number),
      reasons: expect.arrayContaining([expect.any(String)]),
    });
  });

  it("a task is done when all its steps are, else given up with a reason", async () => {
    const step = (id: string, state: string) => ({ id, description: id, state, preview: "" });
    const evaluation = async (...steps: ReturnType<typeof step>[]) =>
      (await askOffline({ kind: "evaluate", goal: "g", steps, maxSteps: 50 })).object;
    expect(await evaluation(step("a", "completed"), step("b", "skipped"))).toMatchObject({ verdict: "done" });
    expect(await evaluation(step("a", "completed"), step("b", "failed"))).toMatchObject({
      verdict: "give-up",
      reason: expect.stringContaining("b is failed"),
    });
    expect(await evaluation()).toMatchObject({ verdict: "give-up" });
  });

  it("a reply is labelled and pretends nothing, but works on a text in the message", async () => {
    const answer = async (message: string) => (await askOffline({ kind: "reply", message, history: [] })).text;
    expect(await answer("Who are you?")).toMatch(/^\[offline model\]\n\nNo language model is configured/);
    expect(
      await answer(
        "Summarise this in one sentence: Redis carries only wake-ups. Everything else is kept in PostgreSQL rows. Fine.",
      ),
    ).toMatch(/^\[offline model\]\n\n- (Redis|Everything)/);
  });
});

describe("a reply of the offline model", () => {
  it("says that it is offline, costs nothing and estimates its tokens", async () => {
    const reply = await askOffline({ kind: "decide", message: "hello" });
    expect(reply).toMatchObject({
      offline: true,
      costUsd: 0,
      model: offlineRef,
      finishReason: "stop",
      usage: { estimated: true },
    });
    expect(JSON.parse(reply.text)).toEqual(reply.object);
  });

  it("streams the same text that it answers, in order", async () => {
    const deltas: string[] = [];
    const brief = {
      kind: "reason",
      goal: "g",
      instruction: "Summarise.",
      material: [{ name: "n", text: notes }],
    } as const;
    const reply = await askOffline(brief, { onDelta: (text) => deltas.push(text) });
    expect(deltas.join("")).toBe(reply.text);
    expect(deltas.length).toBeGreaterThan(1);
  });

  it("takes its time, and abort ends it with the reason at once", async () => {
    const slow = createModels({
      providers: { offline: { latencyMs: 600_000 } },
      defaultModel: offlineRef,
      now: () => Date.now(),
    });
    const controller = new AbortController();
    const call = slow.generate({
      model: offlineRef,
      brief: { kind: "decide", message: "hi" },
      messages: [],
      signal: controller.signal,
    });
    const outcome = expect(call).rejects.toThrow("cancelled by a person");
    controller.abort(new BatonError("cancelled", "cancelled by a person"));
    await outcome;
  });
});
