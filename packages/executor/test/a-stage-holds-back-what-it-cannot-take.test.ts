import { describe, expect, test } from "vitest";
import fc from "fast-check";
import { createStage } from "../src/pipeline/stage.ts";
import { recordingMeter } from "./step.ts";

const settled = async () => {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
};

const stageOf = (width: number, queue: number) => {
  const meter = recordingMeter();
  let now = 0;
  const advance = (ms: number) => {
    now += ms;
  };
  const stage = createStage({ name: "perform", width, queue, meter, monotonic: () => now });
  return { stage, meter, pass: advance };
};

describe("a stage", () => {
  test("runs at most its width, queues at most its bound, and lets the next wait outside", async () => {
    const { stage } = stageOf(1, 1);
    const first = Promise.withResolvers<void>();
    const started: string[] = [];
    const enter = async (name: string, work: Promise<void>) => {
      const ticket = await stage.admit();
      await ticket.run(async () => {
        started.push(name);
        await work;
      });
    };
    const all = [enter("a", first.promise), enter("b", Promise.resolve()), enter("c", Promise.resolve())];
    await settled();
    expect({ started, depth: stage.depth }).toEqual({ started: ["a"], depth: 2 });
    first.resolve();
    await Promise.all(all);
    expect({ started, depth: stage.depth }).toEqual({ started: ["a", "b", "c"], depth: 0 });
  });

  test("frees its place when the work throws", async () => {
    const { stage } = stageOf(1, 0);
    const ticket = await stage.admit();
    await expect(ticket.run(() => Promise.reject(new Error("no")))).rejects.toThrow("no");
    await expect((await stage.admit()).run(() => Promise.resolve("yes"))).resolves.toBe("yes");
  });

  test("reports depth, wait and service time under its name", async () => {
    const { stage, meter, pass } = stageOf(1, 1);
    const ticket = await stage.admit();
    pass(5);
    await ticket.run(async () => {
      pass(7);
      await Promise.resolve();
    });
    const of = (name: string) => meter.recorded.filter((one) => one.name === name).map(({ value }) => value);
    expect(of("baton_stage_wait_ms")).toEqual([5]);
    expect(of("baton_stage_service_ms")).toEqual([7]);
    expect(of("baton_stage_depth")).toEqual([1, 0]);
    expect(meter.recorded.every(({ labels }) => labels["stage"] === "perform")).toBe(true);
  });

  test("never runs more than its width whatever comes and goes", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 0, max: 4 }),
        fc.array(fc.nat(5), { maxLength: 30 }),
        async (width, queue, turns) => {
          const { stage } = stageOf(width, queue);
          let [now, most, deepest] = [0, 0, 0];
          const work = async (count: number) => {
            now += 1;
            most = Math.max(most, now);
            deepest = Math.max(deepest, stage.depth);
            for (let turn = 0; turn < count; turn++) await Promise.resolve();
            now -= 1;
          };
          await Promise.all(turns.map(async (count) => await (await stage.admit()).run(() => work(count))));
          expect(most).toBeLessThanOrEqual(width);
          expect(deepest).toBeLessThanOrEqual(width + queue);
          expect(stage.depth).toBe(0);
        },
      ),
    );
  });
});
