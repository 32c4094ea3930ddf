import {
  bucketOf,
  buckets,
  openCount,
  stepKinds,
  stepStates,
  type StepState,
  taskIntents,
  taskState,
  taskStates,
  type TaskCounters,
} from "@baton/core/lifecycle";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

const zero = Object.fromEntries([...buckets, "claimed"].map((name) => [name, 0])) as unknown as TaskCounters;
const counters = fc
  .record(Object.fromEntries([...buckets, "claimed"].map((name) => [name, fc.constantFrom(0, 0, 1, 2, 10_000)])))
  .map((drawn) => drawn as unknown as TaskCounters);
const intents = fc.constantFrom(...taskIntents);

describe("f", () => {
  it("gives one of the states for any intent and any counters", () => {
    fc.assert(
      fc.property(intents, counters, (intent, c) => {
        expect(Object.keys(taskStates)).toContain(taskState(intent, c));
      }),
    );
  });

  it("gives a terminal state exactly when no step is open, failed or held, and cancelled only by intent", () => {
    fc.assert(
      fc.property(intents, counters, (intent, c) => {
        const state = taskState(intent, c);
        expect(taskStates[state] === "terminal").toBe(openCount(c) + c.failed + c.held === 0);
        if (state === "cancelled") expect(intent).toBe("cancel");
        if (intent === "cancel") expect(state).not.toBe("completed");
      }),
    );
  });

  it("never hides a failed step behind a state that looks alive, except while compensating", () => {
    fc.assert(
      fc.property(intents, counters, (intent, c) => {
        fc.pre(c.failed > 0 && intent !== "compensate");
        expect(taskState(intent, c)).toBe("failed");
      }),
    );
  });

  it.each([
    [{ pending: 1, ready: 1 }, "pending"],
    [{ ready: 1, claimed: 1 }, "running"],
    [{ dispatched: 1 }, "pending"],
    [{ running: 1, held: 1, claimed: 1 }, "running"],
    [{ planning: 1, running: 1, claimed: 1 }, "planning"],
    [{ held: 1, waiting: 1 }, "blocked"],
    [{ waiting: 1, backoff: 1 }, "waiting"],
    [{ backoff: 1, evaluating: 1 }, "retrying"],
    [{ evaluating: 1, completed: 5 }, "evaluating"],
    [{ pending: 1 }, "blocked"],
    [{ completed: 5, skipped: 1, system_settled: 2 }, "completed"],
  ])("takes the first that applies: %j is %s", (some, state) => {
    expect(taskState("none", { ...zero, ...some })).toBe(state);
  });

  it.each([
    ["pause", "paused"],
    ["compensate", "compensating"],
    ["cancel", "running"],
  ] as const)("puts the intent %s before what the steps do", (intent, state) => {
    expect(taskState(intent, { ...zero, running: 1, claimed: 1 })).toBe(state);
  });
});

describe("bucketOf", () => {
  const flags = [true, false];
  const combinations = stepKinds.flatMap((kind) =>
    (Object.keys(stepStates) as StepState[]).flatMap((state) =>
      flags.flatMap((dispatched) =>
        flags.flatMap((backingOff) =>
          (["fail", "hold"] as const).map((onExhausted) => ({ kind, state, dispatched, backingOff, onExhausted })),
        ),
      ),
    ),
  );

  it("puts every step into one of the buckets", () => {
    expect(combinations).toHaveLength(stepKinds.length * Object.keys(stepStates).length * 8);
    for (const step of combinations) expect(buckets).toContain(bucketOf(step));
  });

  it("fills every bucket", () => {
    expect(new Set(combinations.map(bucketOf))).toEqual(new Set(buckets));
  });

  it("counts an open step as open, and a settled one as settled", () => {
    for (const step of combinations) {
      const isOpen = openCount({ ...zero, [bucketOf(step)]: 1 }) === 1;
      expect([step, isOpen]).toEqual([step, stepStates[step.state] === "live"]);
    }
  });
});
