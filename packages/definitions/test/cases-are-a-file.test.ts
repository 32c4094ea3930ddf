import { readFileSync } from "node:fs";
import { parseEvaluationSets } from "@baton/definitions";
import { describe, expect, it } from "vitest";

const message = "{id: a, category: c, message: m, orchestrate: true}";
const goal = (expectations: string) => `goals:\n  - {id: a, category: c, goal: g, expect: ${expectations}}\n`;
const problemOf = (...texts: string[]): string => {
  try {
    parseEvaluationSets(texts.map((text, at) => ({ file: `f${at + 1}.yaml`, text })));
  } catch (error) {
    expect(error).toMatchObject({ code: "invalid-request" });
    return (error as Error).message;
  }
  return expect.unreachable("it was accepted");
};

describe("a file of cases is refused with file and line", () => {
  it.each([
    ["nothing", "", "f1.yaml:1: the file holds `messages`, `goals` or both"],
    ["no case", "messages: []", "f1.yaml:1: there is no case in it: name messages or goals"],
    ["a text", "hello", "f1.yaml:1: the file holds"],
    ["YAML that is none", "messages: [", /^f1\.yaml:1: Flow sequence/],
    ["a key twice", "messages: []\nmessages: []", "f1.yaml:2: Map keys must be unique"],
    ["an unknown list", `messages:\n  - ${message}\nquestions: []`, "f1.yaml:3: questions: there is no such field."],
    [
      "an unknown field",
      "messages:\n  - id: a\n    category: c\n    message: m\n    orchestrate: true\n    colour: red",
      "f1.yaml:6: messages.0.colour: there is no such field.",
    ],
    ["a missing label", "messages:\n  - {id: a, category: c, message: m}", /^f1\.yaml:2: messages\.0\.orchestrate: /],
    ["a word for a label", `messages:\n  - ${message.replace("true", '"YES"')}`, /^f1\.yaml:2: .*expected boolean/],
    ["an id with spaces", `messages:\n  - ${message.replace("id: a", "id: A b")}`, /small letters, digits/],
    ["an id twice", `messages:\n  - ${message}\n  - ${message}`, 'f1.yaml:3: messages.1.id: "a" stands at f1.yaml:2'],
    ["steps the wrong way round", goal("{steps: [5, 2]}"), "f1.yaml:2: goals.0.expect.steps: the least number"],
    ["one strand alone", goal("{parallel: [[[a]]]}"), /^f1\.yaml:2: goals\.0\.expect\.parallel\.0: /],
    ["an unknown expectation", goal("{nice: true}"), "f1.yaml:2: goals.0.expect.nice: there is no such field."],
    ["no tool", goal("{uses: [3]}"), "f1.yaml:2: goals.0.expect.uses.0: a tool, or a list of tools"],
    [
      "a bomb of aliases",
      `a: &a [x,x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]`,
      /alias/i,
    ],
    [
      "more than anybody writes",
      `# ${"x".repeat(4_000_000)}`,
      /^f1\.yaml:1: the file has \d+ bytes; the limit is 4000000/,
    ],
  ])("when it holds %s", (_what, text, problem) => {
    expect(problemOf(text)).toMatch(problem);
  });

  it("also when two files have the same id, and says where the first is", () => {
    expect(problemOf(`messages:\n  - ${message}`, `messages:\n  - ${message}`)).toBe(
      'f2.yaml:2: messages.0.id: "a" stands at f1.yaml:2 already.',
    );
  });

  it("with at most twenty problems at once", () => {
    const many = Array.from({ length: 30 }, (_, at) => `  - {id: a${at}, category: c, message: m, orchestrate: 1}`);
    expect(problemOf(`messages:\n${many.join("\n")}`).split("\n")).toHaveLength(21);
  });
});

describe("Baton's own cases", () => {
  const own = (name: string) => ({
    file: name,
    text: readFileSync(new URL(`../../../evaluation/${name}`, import.meta.url), "utf8"),
  });
  const { goals, messages } = parseEvaluationSets([own("messages.yaml"), own("goals.yaml")]);

  it("are many, in many languages, of both kinds, and a third of them is held out", () => {
    expect(messages.length).toBeGreaterThanOrEqual(120);
    expect(new Set(messages.map(({ language }) => language)).size).toBeGreaterThanOrEqual(8);
    expect(goals.length).toBeGreaterThanOrEqual(30);
    for (const cases of [messages, goals]) {
      const share = cases.filter(({ held_out: heldOut }) => heldOut).length / cases.length;
      expect(share).toBeGreaterThan(0.3);
    }
    const needed = messages.filter(({ orchestrate }) => orchestrate).length / messages.length;
    expect(needed).toBeGreaterThan(0.3);
    expect(needed).toBeLessThan(0.7);
  });

  it("have no message twice, and expect something of every goal", () => {
    expect(new Set(messages.map(({ message }) => message)).size).toBe(messages.length);
    for (const { expect: expected, id } of goals) expect(Object.keys(expected), id).not.toEqual([]);
  });
});
