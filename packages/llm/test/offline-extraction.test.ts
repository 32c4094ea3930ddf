import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { findDecisions } from "../src/offline/findings/decisions.ts";
import { summarize } from "../src/offline/findings/summary.ts";
import { findTasks } from "../src/offline/findings/tasks.ts";
import { readGoal } from "../src/offline/goal.ts";
import { blocksOf } from "../src/offline/text/blocks.ts";
import { sentencesOf } from "../src/offline/text/sentences.ts";
import { askOffline, quoted, reason } from "./offline.fixture.ts";
import { nearMisses, planted } from "./decisions.fixture.ts";

const texts = (text: string): readonly string[] => sentencesOf(text).map((sentence) => sentence.text);

const words = fc.constantFrom(
  ..."the queue we decided to use Redis e.g. Dr. z.B. 3. **bold** `a.b. c` https://x.org/a.b (see [1]) | --- # > - * 1. TODO 決定しました。 はい！ Größe naïve … ... ?! : ; \u00a0 Status: accepted ``` <!-- --> <html> <p> ### [x]".split(
    " ",
  ),
);
const line = fc
  .tuple(
    fc.constantFrom("", "# ", "## Decision ", "- ", "  - [ ] ", "> ", "1. ", "| ", "```", "    "),
    fc.array(words, { maxLength: 14 }),
  )
  .map(([lead, own]) => lead + own.join(" "));
const docs = fc.oneof(
  fc.array(line, { maxLength: 25 }).map((lines) => lines.join("\n")),
  fc.string({ unit: "grapheme", maxLength: 300 }),
);

describe("what is taken from a text stands in it word for word", () => {
  it("sentences and blocks are slices of the source, in order, without overlap", () => {
    fc.assert(
      fc.property(docs, (text) => {
        let end = 0;
        for (const sentence of sentencesOf(text)) {
          expect(text.slice(sentence.start, sentence.end)).toBe(sentence.text);
          expect(sentence.text).toBe(sentence.text.trim());
          expect(sentence.start).toBeGreaterThanOrEqual(end);
          end = sentence.end;
        }
        for (const block of blocksOf(text)) expect(block.end).toBeGreaterThanOrEqual(block.start);
      }),
      { numRuns: 500 },
    );
  });

  it("summaries, decisions and tasks are slices of the source", () => {
    fc.assert(
      fc.property(docs, (text) => {
        const source = { name: "doc", text, origin: "" };
        const found = [
          ...summarize(source, { sentenceCount: 5, charCount: 2_000 }),
          ...findDecisions(source),
          ...findTasks(source),
        ];
        for (const finding of found) expect(text).toContain(finding.text);
      }),
      { numRuns: 500 },
    );
  });

  it("an answer quotes only what its material says, whatever the instruction", async () => {
    const instructions = [
      "Summarise this.",
      "List the decisions.",
      "Which queue do we use",
      "List the TODOs.",
      "Write a report.",
    ];
    await fc.assert(
      fc.asyncProperty(docs, docs, fc.constantFrom(...instructions), async (a, b, instruction) => {
        fc.pre(a.trim() !== "" && b.trim() !== "");
        const answer = await reason(instruction, { "a.md": `Alpha beta gamma.\n\n${a}`, "b.md": `Delta.\n\n${b}` });
        expect(answer.startsWith("[offline model]")).toBe(true);
        // A quotation may hold a line that looks like a list mark; then each of its lines stands in a source.
        for (const quotation of quoted(answer)) {
          const source = `${a}\nAlpha beta gamma.\n${b}\nDelta.`;
          for (const part of quotation.split("\n")) expect(source).toContain(part.trim().replace(/^#+ .*/, ""));
        }
      }),
      { numRuns: 150 },
    );
  });

  it("a summarised context is extractive, labelled and within its limit", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(docs, { minLength: 1, maxLength: 6 }),
        fc.integer({ min: 50, max: 600 }),
        async (parts, maxTokens) => {
          const material = parts.map((text, index) => ({
            name: `step[${index}]`,
            text: `Some fact number ${index} is here.\n\n${text}`,
          }));
          const { text, offline } = await askOffline({
            kind: "summarize",
            goal: "list the decisions",
            material,
            maxTokens,
          });
          expect(offline).toBe(true);
          expect(text.startsWith("[offline model]")).toBe(true);
          expect(text.length / 3).toBeLessThanOrEqual(maxTokens + 1);
        },
      ),
      { numRuns: 100 },
    );
  });
});

describe("a hostile text", () => {
  const repeated = [
    "a",
    " ",
    "\n",
    ".",
    "`a. ",
    "|",
    "| a | b |\n",
    "a@",
    "-",
    "* ",
    "**a",
    "> ",
    "we decided ",
    "<html><script ",
    "<html><p",
  ];

  // Quadratic matching would take minutes here: the test's own guard is the measure.
  it.each(repeated)("of nothing but %j is read in time linear in its length", async (part) => {
    const text =
      (part.startsWith("<html>") ? "<html>" : "") + part.replace("<html>", "").repeat(Math.ceil(150_000 / part.length));
    for (const instruction of [
      "List the decisions.",
      "List the TODOs.",
      "List the e-mail addresses.",
      "Summarise this.",
    ]) {
      expect(await reason(instruction, { text })).toContain("[offline model]");
    }
    expect(readGoal(text).text).toBe(text);
  });
});

describe("sentences", () => {
  it.each([
    [
      "abbreviations",
      "We use e.g. Redis. Dr. Smith agrees, cf. Fig. 3. It works.",
      ["We use e.g. Redis.", "Dr. Smith agrees, cf. Fig. 3.", "It works."],
    ],
    [
      "versions, numbers and addresses",
      "Node 24.1 is out. See https://a.org/x.html for it. Pi is 3.14.",
      ["Node 24.1 is out.", "See https://a.org/x.html for it.", "Pi is 3.14."],
    ],
    ["inline code", "Call `a.b. Then c` first. Then stop.", ["Call `a.b. Then c` first.", "Then stop."]],
    [
      "a paragraph over several lines",
      "One sentence that\ngoes on. Another.",
      ["One sentence that\ngoes on.", "Another."],
    ],
    [
      "a list",
      "- first thing\n- second thing. And more.\n  wrapped",
      ["first thing", "second thing.", "And more.\n  wrapped"],
    ],
    ["Chinese and Japanese", "我们决定使用它。为什么？因为快。", ["我们决定使用它。", "为什么？", "因为快。"]],
    [
      "German",
      "Am 3. März wurde z.B. nichts entschieden. Danach schon.",
      ["Am 3. März wurde z.B. nichts entschieden.", "Danach schon."],
    ],
    [
      "quotation marks",
      'He said "Stop." Then he left. (Really.) Yes!',
      ['He said "Stop."', "Then he left.", "(Really.)", "Yes!"],
    ],
    [
      "code and comments are none",
      "Before.\n\n```js\nlet a = 1. + 2.;\n```\n\n<!-- Hidden. -->\n\nAfter.",
      ["Before.", "After."],
    ],
    [
      "HTML",
      "<html><body><h1>Title</h1><p>One <b>bold</b> word. Two.</p><script>no. no.</script></body></html>",
      ["Title", "One <b>bold</b> word.", "Two."],
    ],
  ])("%s", (_name, text, expected) => {
    expect(texts(text)).toEqual(expected);
  });
});

describe("decisions", () => {
  it("at least 80 % of the planted ones are found", () => {
    const missed = planted.filter(
      ({ text, decision }) =>
        !findDecisions({ name: "d", text, origin: "" }).some((found) => found.text.includes(decision)),
    );
    expect(missed.map(({ decision }) => decision).slice(0, 20)).toEqual([]);
    expect(1 - missed.length / planted.length).toBeGreaterThanOrEqual(0.8);
  });

  it.each(nearMisses)("none is invented from: %s", (text) => {
    expect(findDecisions({ name: "d", text, origin: "" })).toEqual([]);
  });

  it("a whole document without decisions yields none, and says so", async () => {
    expect(await reason("List the decisions.", { "a.md": nearMisses.join("\n\n") })).toBe(
      "[offline model] No decisions found.",
    );
  });

  it("each stands under the name of its source", async () => {
    const answer = await reason("List the decisions.", {
      "a.md": "We decided to use Redis.",
      "b.md": "The weather was fine.",
      "c.md": "We chose Hono over Express.",
    });
    expect(answer).toBe(
      "[offline model]\n\n### a.md\n\n- We decided to use Redis.\n\n### c.md\n\n- We chose Hono over Express.",
    );
  });
});
