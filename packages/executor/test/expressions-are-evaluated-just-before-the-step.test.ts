import { describe, expect, test } from "vitest";
import { prepareStep } from "../src/pipeline/prepare.ts";
import { claimedStep, outputOf } from "./step.ts";

const noBlobs = { readOutput: () => Promise.reject(new Error("nothing is kept by reference here")) };
const cel = (source: string) => ({ $cel: source });

describe("preparing a step", () => {
  test("fills in references, keeping their type", async () => {
    const step = claimedStep({
      type: "tool",
      config: {
        tool: "t",
        arguments: {
          paths: cel("steps.scan.output.files"),
          who: cel("input.who"),
          deep: [cel("size(steps.scan.output.files)")],
        },
      },
      inputs: [outputOf("scan", { files: ["a", "b"] })],
      input: { who: "me" },
    });
    const { config } = await prepareStep(step, noBlobs);
    expect(config).toEqual({ tool: "t", arguments: { paths: ["a", "b"], who: "me", deep: [2] } });
  });

  test("binds item and index inside a map", async () => {
    const step = claimedStep({
      config: { prompt: cel("item.name + '/' + string(index)") },
      item: { index: 3, value: { name: "n" } },
    });
    expect((await prepareStep(step, noBlobs)).config["prompt"]).toBe("n/3");
  });

  test("leaves the step of a map and an output schema alone", async () => {
    const inner = { type: "llm", prompt: cel("item") };
    const map = claimedStep({ type: "map", config: { over: [1], step: inner } });
    expect((await prepareStep(map, noBlobs)).config["step"]).toEqual(inner);
    const schema = { properties: { x: cel("nonsense(") } };
    const llm = claimedStep({ config: { prompt: "p", output_schema: schema } });
    expect((await prepareStep(llm, noBlobs)).config["output_schema"]).toEqual(schema);
  });

  test("fetches an output by reference once, and only when something names it", async () => {
    const fetched: string[] = [];
    const store = {
      readOutput: (_ref: unknown, blobId: string) => {
        fetched.push(blobId);
        return Promise.resolve({ n: 7 });
      },
    };
    const [named, unnamed] = [
      outputOf("big", undefined, { blobId: "b1" }),
      outputOf("other", undefined, { blobId: "b2" }),
    ];
    const prepared = await prepareStep(
      claimedStep({ config: { prompt: cel("string(steps.big.output.n)") }, inputs: [named, unnamed] }),
      store,
    );
    expect(prepared.config["prompt"]).toBe("7");
    expect(await prepared.readOutput(named)).toEqual({ n: 7 });
    expect(fetched).toEqual(["b1"]);
    expect(await prepared.readOutput(unnamed)).toEqual({ n: 7 });
    expect(fetched).toEqual(["b1", "b2"]);
  });

  test("fails with the place of an expression that cannot be evaluated", async () => {
    const step = claimedStep({ type: "tool", config: { tool: "t", arguments: { x: cel("steps.none.output") } } });
    await expect(prepareStep(step, noBlobs)).rejects.toMatchObject({ code: "invalid-expression" });
  });

  test("judges conditions on the step's own output, and refuses one that is not true or false", async () => {
    const conditions = [
      { toStepId: "yes", when: cel("steps.think.output.score > 5") },
      { toStepId: "no", when: cel("steps.think.output.score > 5 && steps.scan.state == 'skipped'") },
    ];
    const prepared = await prepareStep(
      claimedStep({ config: { prompt: "p" }, conditions, inputs: [outputOf("scan", 1)] }),
      noBlobs,
    );
    expect(prepared.deadEdges({ score: 6 })).toEqual(["no"]);
    expect(prepared.deadEdges({ score: 1 })).toEqual(["yes", "no"]);
    const odd = await prepareStep(
      claimedStep({ config: { prompt: "p" }, conditions: [{ toStepId: "x", when: cel("steps.think.output") }] }),
      noBlobs,
    );
    for (const [output, kind] of [
      ["a", "string"],
      [null, "null"],
      [[1], "list"],
    ] as const) {
      expect(() => odd.deadEdges(output)).toThrow(kind);
    }
  });
});
