import {
  type AddedStep,
  compareWithRows,
  type ReducedTask,
  reduce,
  type TaskRows,
  type TraceRow,
} from "@baton/core/events";
import { describe, expect, it } from "vitest";

const error = { code: "tool-failed", message: "it broke" };
const completed = { deadEdges: [], sizeBytes: 2, preview: "{}" };

const added = (stepId: string, dependsOn: string[] = [], more: Partial<AddedStep> = {}): AddedStep => ({
  stepId,
  key: stepId,
  kind: "user",
  type: "tool",
  description: "",
  join: "all",
  dependsOn,
  onExhausted: "fail",
  ...more,
});

/** A log under construction; each entry is [type, data, step, attempt]. */
type Entry = readonly [type: string, data: Record<string, unknown>, stepId?: string, attemptNo?: number];
const logOf = (entries: readonly Entry[]): TraceRow[] =>
  entries.map(([type, data, stepId, attemptNo], index) => ({
    no: index + 1,
    type,
    data: Object.freeze(data),
    stepId,
    attemptNo,
    createdAt: 0,
  }));

const created: Entry = ["task-created", { kind: "plan", goal: "a test" }];
const adding = (...steps: AddedStep[]): Entry => ["steps-added", { reason: "created", steps }];
const started = (stepId: string, attemptNo = 1): Entry => [
  "step-started",
  { sessionId: "s", worker: "w", continued: false },
  stepId,
  attemptNo,
];
const done = (stepId: string, deadEdges: string[] = []): Entry => [
  "step-completed",
  { ...completed, deadEdges },
  stepId,
];
const run = (...stepIds: string[]): Entry[] => stepIds.flatMap((stepId) => [started(stepId), done(stepId)]);

const statesOf = ({ steps }: ReducedTask): Record<string, string> =>
  Object.fromEntries([...steps.values()].map(({ key, state }) => [key, state]));

describe("reduce", () => {
  it("readies what follows a completed step, and leaves the log as it was", () => {
    const log = Object.freeze(logOf([created, adding(added("a"), added("b", ["a"]), added("c", ["b"])), ...run("a")]));
    const reduced = reduce(log);
    expect(statesOf(reduced)).toEqual({ a: "completed", b: "ready", c: "pending" });
    expect(reduced.task).toMatchObject({ state: "pending", intent: "none", traceNo: 4 });
    expect(reduced.task.counters).toMatchObject({ completed: 1, ready: 1, pending: 1, claimed: 1 });
    expect(reduce(log)).toEqual(reduced);
  });

  it("knows an edge whose source stands later in the plan or is settled already", () => {
    const log = logOf([
      created,
      adding(added("b", ["a"])),
      adding(added("a")),
      ...run("a"),
      adding(added("c", ["a"]), added("d", ["b"])),
    ]);
    expect(statesOf(reduce(log))).toEqual({ a: "completed", b: "ready", c: "ready", d: "pending" });
  });

  it("follows conditions: a dead edge is skipped by its event, `any` and n count what is satisfied", () => {
    const steps = [
      added("a"),
      added("b"),
      added("only-a", ["a"]),
      added("any", ["a", "b"], { join: 1 }),
      added("two", ["a", "b"], { join: 2 }),
      added("more", ["only-a"]),
    ];
    const log = [created, adding(...steps), ...[started("a"), done("a", ["only-a", "any"])]];
    const skips: Entry[] = [
      ["step-skipped", {}, "only-a"],
      ["step-skipped", {}, "more"],
    ];
    expect(statesOf(reduce(logOf([...log, ...skips])))).toMatchObject({
      "only-a": "skipped",
      any: "pending",
      more: "skipped",
    });
    expect(statesOf(reduce(logOf([...log, ...skips, ...run("b")])))).toMatchObject({ any: "ready", two: "ready" });
    expect(reduce(logOf([...log, ...skips])).task.counters).toMatchObject({ skipped: 2 });
  });

  it("opens a map's items by its concurrency, and wakes it when the last is settled", () => {
    const items = [0, 1, 2].map((index) => added(`map[${index}]`, [], { parentStepId: "map", itemIndex: index }));
    const log: Entry[] = [
      created,
      adding(added("map", [], { type: "map" }), added("after", ["map"])),
      started("map"),
      ["step-expanded", { itemCount: 3, concurrency: 1 }, "map"],
      ["steps-added", { reason: "expanded", steps: items }],
    ];
    const first = { map: "waiting", "map[0]": "ready", "map[1]": "pending", "map[2]": "pending" };
    expect(statesOf(reduce(logOf(log)))).toMatchObject(first);
    expect(reduce(logOf(log)).steps.get("map[0]")?.parentStepId).toBe("map");
    log.push(...run("map[0]", "map[1]"));
    expect(statesOf(reduce(logOf(log)))).toMatchObject({ map: "waiting", "map[2]": "ready" });
    log.push(...run("map[2]"));
    expect(statesOf(reduce(logOf(log)))).toMatchObject({ map: "ready", after: "pending" });
    log.push(started("map", 2), done("map"));
    expect(statesOf(reduce(logOf(log)))).toMatchObject({ map: "completed", after: "ready" });
    expect(reduce(logOf(log)).steps.get("map")?.attemptNo).toBe(2);
  });

  it("lets a deferred step wait for exactly what it added", () => {
    const log: Entry[] = [
      created,
      adding(added("a"), added("slow"), added("any", ["a", "slow"], { join: 1 })),
      ...run("a"),
      started("any"),
      ["step-deferred", { onStepIds: ["summary"] }, "any"],
      ["steps-added", { reason: "deferred", steps: [added("summary", [], { kind: "summary" })] }],
      ...run("slow"),
    ];
    expect(statesOf(reduce(logOf(log)))).toMatchObject({ any: "pending", summary: "ready" });
    const after = reduce(logOf([...log, ...run("summary")]));
    expect(statesOf(after)).toMatchObject({ any: "ready", summary: "completed" });
    expect(after.task.counters).toMatchObject({ system_settled: 1, completed: 2 });
  });

  it("counts failures and crashes, forgets them on a retry, and never the attempts", () => {
    const log: Entry[] = [
      created,
      adding(added("a")),
      started("a"),
      ["step-retry-scheduled", { error, delayMs: 5, failureCount: 1 }, "a"],
      started("a", 2),
      ["step-released", { reason: "shutdown" }, "a"],
      started("a", 3),
      ["step-crashed", { sessionId: "s", crashCount: 1 }, "a"],
    ];
    expect(reduce(logOf(log)).steps.get("a")).toMatchObject({
      state: "ready",
      attemptNo: 3,
      failureCount: 1,
      crashCount: 1,
    });
    log.push(started("a", 4), ["step-failed", { error, failureCount: 2, crashCount: 1 }, "a"]);
    expect(reduce(logOf(log)).steps.get("a")).toMatchObject({ state: "failed", failureCount: 2 });
    expect(reduce(logOf(log)).task.counters).toMatchObject({ failed: 1, held: 0 });
    log.push(["step-reopened", {}, "a"]);
    expect(reduce(logOf(log)).steps.get("a")).toMatchObject({
      state: "ready",
      attemptNo: 4,
      failureCount: 0,
      crashCount: 0,
    });
    log.push(started("a", 5), ["step-failed", { error, failureCount: 0, crashCount: 3 }, "a"]);
    expect(reduce(logOf(log)).steps.get("a")).toMatchObject({ state: "failed", crashCount: 3 });
  });

  it("goes on from what a person resolved", () => {
    const log = (state: "completed" | "skipped"): Entry[] => [
      created,
      adding(added("a", [], { onExhausted: "hold" }), added("b", ["a"])),
      started("a"),
      ["step-failed", { error, failureCount: 1, crashCount: 0 }, "a"],
      ["step-resolved", { state }, "a"],
    ];
    expect(reduce(logOf(log("completed").slice(0, 4))).task.counters).toMatchObject({ held: 1, failed: 0 });
    expect(statesOf(reduce(logOf(log("completed"))))).toEqual({ a: "completed", b: "ready" });
    expect(statesOf(reduce(logOf([...log("skipped"), ["step-skipped", {}, "b"]])))).toEqual({
      a: "skipped",
      b: "skipped",
    });
  });

  it("keeps the intent, and ends every step that a cancel ends", () => {
    const log: Entry[] = [
      created,
      adding(added("a"), added("b", ["a"]), added("c", ["a"])),
      started("a"),
      ["task-state-changed", { from: "pending", to: "running" }],
      ["task-paused", {}],
      ["task-state-changed", { from: "running", to: "paused" }],
      done("a"),
    ];
    expect(reduce(logOf(log)).task).toMatchObject({ state: "paused", intent: "pause" });
    log.push(["task-resumed", {}]);
    expect(reduce(logOf(log)).task.intent).toBe("none");
    log.push(["task-cancelled", {}], ["task-state-changed", { from: "paused", to: "cancelled" }]);
    expect(reduce(logOf(log)).task).toMatchObject({ state: "cancelled", intent: "cancel" });
    expect(statesOf(reduce(logOf(log)))).toEqual({ a: "completed", b: "cancelled", c: "cancelled" });
  });

  it("passes over accounts and what a newer version writes", () => {
    const log = logOf([
      created,
      ["note", { message: "hello" }],
      ["step-redispatched", { dispatchNo: 2 }, "a"],
      ["step-dreamt", {}],
    ]);
    expect(reduce(log)).toMatchObject({ task: { state: "pending", traceNo: 4 } });
  });
});

describe("reduce refuses", () => {
  const refusal = (entries: readonly Entry[]): unknown => {
    try {
      return reduce(logOf(entries));
    } catch (caught) {
      return caught;
    }
  };

  it("a log with a gap", () => {
    const log = logOf([created, adding(added("a"))]);
    expect(() => reduce(log.slice(1))).toThrow("Trace 1 is missing: number 2 stands in its place.");
  });

  it.each<[string, Entry[]]>([
    ["a step that is claimed before its time", [adding(added("a"), added("b", ["a"])), started("b")]],
    ["a step that ends twice", [adding(added("a")), ...run("a"), done("a")]],
    ["a task that moves from a state it is not in", [["task-state-changed", { from: "running", to: "completed" }]]],
    [
      "a task that leaves a terminal state",
      [
        ["task-state-changed", { from: "pending", to: "completed" }],
        ["task-state-changed", { from: "completed", to: "running" }],
      ],
    ],
  ])("%s", (_, entries) => {
    expect(refusal(entries)).toMatchObject({ code: "illegal-transition" });
  });

  it.each<[string, Entry[], string]>([
    ["an event of a step that nobody added", [done("ghost")], "An event names the step ghost, which none added."],
    ["an event without its step", [["step-released", { reason: "x" }]], "An event names the step undefined"],
    ["a step that is added twice", [adding(added("a")), adding(added("a"))], "The step a was added twice."],
    [
      "an item that settles before its map expanded",
      [adding(added("map"), added("item", [], { parentStepId: "map", itemIndex: 0 })), ["step-skipped", {}, "item"]],
      "The map map has items but never expanded.",
    ],
  ])("%s", (_, entries, message) => {
    expect(refusal(entries)).toMatchObject({ code: "internal", message: expect.stringContaining(message) });
  });

  it("an event whose data are not of the catalogue", () => {
    expect(() => reduce(logOf([["step-completed", { preview: 1 }, "a"]]))).toThrow("deadEdges");
  });
});

describe("compareWithRows", () => {
  const log = logOf([
    created,
    adding(added("a"), added("b", ["a"])),
    started("a"),
    ["task-state-changed", { from: "pending", to: "running" }],
    done("a"),
  ]);
  const row = { kind: "user", failureCount: 0, crashCount: 0 } as const;
  const a = { ...row, stepId: "a", key: "a", state: "completed", attemptNo: 1 } as const;
  const b = { ...row, stepId: "b", key: "b", state: "ready", attemptNo: 0, parentStepId: undefined } as const;
  const task = {
    state: "running",
    intent: "none",
    traceNo: 5,
    totalSteps: 2,
    settledSteps: 1,
    runningSteps: 0,
    failedSteps: 0,
  } as const;
  const { counters } = reduce(log).task;
  const compare = (rows: Partial<TaskRows>): string[] => compareWithRows(reduce(log), { task, steps: [a, b], ...rows });

  it("finds nothing where both tell the same", () => {
    expect(compare({})).toEqual([]);
    expect(compare({ counters })).toEqual([]);
  });

  it("names each field that differs", () => {
    expect(compare({ task: { ...task, state: "failed", settledSteps: 2 } })).toEqual([
      "task state: the log says running, the row says failed",
      "task settledSteps: the log says 1, the row says 2",
    ]);
    expect(compare({ counters: { ...counters, ready: 7 } })).toEqual(["counter ready: the log says 1, the row says 7"]);
    expect(compare({ steps: [a, { ...b, state: "running", attemptNo: 1 }] })).toEqual([
      "step b state: the log says ready, the row says running",
      "step b attemptNo: the log says 0, the row says 1",
    ]);
  });

  it("names steps that only one side knows", () => {
    expect(compare({ steps: [a, { ...b, stepId: "c", key: "c" }] })).toEqual([
      "step b: the log added it, no row shows it",
      "step c: a row shows it, the log never added it",
    ]);
  });

  it("names a state that f gives for no split of the ready steps", () => {
    const unchanged = reduce(log.slice(0, 2));
    const blocked: ReducedTask = { ...unchanged, task: { ...unchanged.task, state: "blocked" } };
    expect(compareWithRows(blocked, { task, steps: [] })).toContain(
      "task state: f gives pending or retrying, the log says blocked",
    );
  });
});
