import {
  legalTaskMoves,
  type StateClass,
  stepEvents,
  stepStates,
  stepTable,
  stepTargets,
  taskEvents,
  taskStates,
  taskTable,
} from "@baton/core/lifecycle";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

interface Move {
  readonly from: string;
  readonly event: string;
  readonly to: string;
}

const tables: readonly {
  readonly name: string;
  readonly states: Readonly<Record<string, StateClass>>;
  readonly events: readonly string[];
  readonly moves: readonly Move[];
}[] = [
  { name: "step", states: stepStates, events: stepEvents, moves: stepTable },
  {
    name: "task",
    states: taskStates,
    events: taskEvents,
    moves: taskTable.flatMap(({ from, event, to }) => to.map((target) => ({ from, event, to: target }))),
  },
];

const classOf = (states: Readonly<Record<string, StateClass>>, state: string): StateClass | undefined => states[state];

describe.each(tables)("the table of a $name", ({ states, events, moves }) => {
  it("is never left by a sequence of its events, and nothing follows a terminal state", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(), { maxLength: 60 }), (picks) => {
        let state = "pending";
        for (const pick of picks) {
          const legal = moves.filter(({ from }) => from === state);
          if (classOf(states, state) === "terminal") expect(legal).toEqual([]);
          if (legal.length === 0) break;
          state = legal[pick % legal.length]?.to ?? "";
          expect(Object.keys(states)).toContain(state);
        }
        expect(classOf(states, state)).toBeDefined();
      }),
    );
  });

  it("leads from every live or resting state to a terminal one", () => {
    const ends = new Set(Object.keys(states).filter((state) => classOf(states, state) === "terminal"));
    for (let before = -1; before !== ends.size; ) {
      before = ends.size;
      for (const { from, to } of moves) if (ends.has(to)) ends.add(from);
    }
    expect([...ends].sort()).toEqual(Object.keys(states).sort());
  });

  it("reaches every state from pending", () => {
    const reached = new Set(["pending"]);
    for (let before = -1; before !== reached.size; ) {
      before = reached.size;
      for (const { from, to } of moves) if (reached.has(from)) reached.add(to);
    }
    expect([...reached].sort()).toEqual(Object.keys(states).sort());
  });

  it("uses every event that it names and names every event that it uses", () => {
    expect([...new Set(moves.map(({ event }) => event))].sort()).toEqual([...events].sort());
  });

  it("says everything once", () => {
    const lines = moves.map(({ from, event, to }) => `${from} ${event} ${to}`);
    expect(lines).toEqual([...new Set(lines)]);
  });
});

describe("classes", () => {
  it("rest only where a person's retry, resolution or cancel goes on", () => {
    const ways = (from: string, rows: readonly { from: string; event: string }[]) =>
      new Set(rows.filter((row) => row.from === from).map(({ event }) => event));
    expect(ways("failed", stepTable)).toEqual(new Set(["reopen", "resolve", "cancel"]));
    expect(ways("failed", taskTable)).toEqual(new Set(["settle", "reap", "retry", "resolve", "cancel", "compensate"]));
  });

  it("give a cancelled task from every state that has not ended", () => {
    const cancellable = legalTaskMoves().flatMap(([from, to]) => (to === "cancelled" ? [from] : []));
    const open = Object.keys(taskStates).filter((state) => classOf(taskStates, state) !== "terminal");
    expect(cancellable.sort()).toEqual(open.sort());
  });
});

describe("stepTargets", () => {
  it("answers what the table says, and nothing for an illegal pair", () => {
    expect(stepTargets("running", "crash")).toEqual(["ready", "failed"]);
    expect(stepTargets("failed", "resolve")).toEqual(["completed", "skipped"]);
    expect(stepTargets("completed", "complete")).toEqual([]);
  });
});

describe("legalTaskMoves", () => {
  it("holds every move of the table once, sorted, and none that stays", () => {
    const pairs = legalTaskMoves().map(([from, to]) => `${from}>${to}`);
    expect(pairs).toEqual([...new Set(pairs)].sort((a, b) => a.localeCompare(b)));
    expect(legalTaskMoves().filter(([from, to]) => from === to)).toEqual([]);
    for (const { from, to } of taskTable) {
      for (const target of to) if (target !== from) expect(pairs).toContain(`${from}>${target}`);
    }
  });
});
