/** The long tier's plan: every case comes, as large as the time allows, and the combinations take turns. */
import { describe, expect, it } from "vitest";
import type { Backend } from "../stack/stack.ts";
import type { ChaosCase } from "./harness/case.ts";
import { boundedSchedule, fullSchedule, type PlannedRun, type Schedule, scaleBetween } from "./harness/schedule.ts";

const backends: readonly Backend[] = ["postgres", "redis"];
const combinations = backends.flatMap((backend) => [true, false].map((continuation) => ({ backend, continuation })));

const chaosCase = (id: string, on: readonly Backend[] = backends): ChaosCase => ({
  id,
  backends: on,
  claims: "",
  scale: { t: { tasks: 10 }, l: { tasks: 110 } },
  seconds: { t: 10, l: 110 },
  run: () => Promise.resolve(),
});
const cases = [chaosCase("a"), chaosCase("b"), chaosCase("c", ["redis"])];

/** Runs that take as long as estimated, `slowness` times. */
function play(schedule: Schedule, ms: number, slowness = 1): readonly PlannedRun[] {
  const runs: PlannedRun[] = [];
  let left = ms;
  for (let run = schedule.next(left); run !== undefined && runs.length < 100; run = schedule.next(left)) {
    runs.push(run);
    const tookMs = (run.scale["tasks"] ?? 0) * 1_000 * slowness;
    left -= tookMs;
    schedule.took(tookMs);
  }
  return runs;
}

describe("the plan of the long tier", () => {
  it("without a limit has every case on each of its combinations at full scale", () => {
    const runs = play(fullSchedule(cases, combinations), Number.POSITIVE_INFINITY);
    expect(runs).toHaveLength(4 + 4 + 2);
    expect(runs.every(({ scale }) => scale["tasks"] === 110)).toBe(true);
    expect(new Set(runs.map(({ label }) => label)).size).toBe(runs.length);
  });

  it("with too little time has every case once, at the scale of tier T", () => {
    const runs = play(boundedSchedule(cases, combinations), 1);
    expect(runs.slice(0, 1).map(({ scale }) => scale["tasks"])).toEqual([10]);
  });

  it("with time for a part of the full scale has every case once, each at the same part", () => {
    const runs = play(boundedSchedule(cases, combinations), 180_000);
    expect(runs.map((run) => run.chaosCase.id)).toEqual(["a", "b", "c"]);
    expect(runs.map(({ scale }) => scale["tasks"])).toEqual([60, 60, 60]);
  });

  it("on a machine that is slower than estimated has every case all the same", () => {
    const many = Array.from({ length: 20 }, (_, at) => chaosCase(`case${at}`));
    const runs = play(boundedSchedule(many, combinations), 20 * 60_000, 2);
    expect(runs.map((run) => run.chaosCase.id)).toEqual(many.map(({ id }) => id));
  });

  it("with time left takes the cases again, on other combinations", () => {
    const runs = play(boundedSchedule(cases, combinations), 900_000);
    const ofA = runs.filter((run) => run.chaosCase.id === "a");
    expect(ofA.length).toBeGreaterThan(1);
    const used = ofA.map(({ backend, continuation }) => `${backend}/${continuation}`);
    expect(new Set(used).size).toBe(used.length);
  });

  it("interpolates every number between the two tiers", () => {
    const scale = { t: { tasks: 10, kills: 2 }, l: { tasks: 110, kills: 12 } };
    expect(scaleBetween(scale, 0)).toEqual(scale.t);
    expect(scaleBetween(scale, 0.5)).toEqual({ tasks: 60, kills: 7 });
    expect(scaleBetween(scale, 1)).toEqual(scale.l);
  });
});
