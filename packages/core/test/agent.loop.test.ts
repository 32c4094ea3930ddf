import { agentLimits, nextMove } from "@baton/core/agent";
import type { AgentLimits, AgentTurn } from "@baton/core/agent";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

const limits = (more: Partial<AgentLimits> = {}): AgentLimits => ({ ...agentLimits.parse({}), ...more });

let serial = 0;
const call = (tool: string, input: unknown = {}) => ({ id: `c${++serial}`, tool, input });

function turn(more: Partial<AgentTurn> = {}): AgentTurn {
  const toolCalls = more.toolCalls ?? [];
  const results = toolCalls.map(() => ({ content: `result ${++serial}`, isError: false }));
  return { text: "", toolCalls, results, tokens: 10, costUsd: 0.01, ...more };
}

const looking = (no: number): AgentTurn => turn({ toolCalls: [call("look", { no })] });

describe("an agent", () => {
  it("thinks first, calls what it asked for, thinks about what came of it, and ends with its word", () => {
    expect(nextMove(limits(), [], 0)).toEqual({ move: "think" });
    const asked = turn({ toolCalls: [call("a"), call("b"), call("c")], results: [] });
    expect(nextMove(limits(), [asked], 0)).toEqual({ move: "call", places: [0, 1, 2] });
    const some = { ...asked, results: [undefined, { content: "b", isError: true }] };
    expect(nextMove(limits(), [some], 0)).toEqual({ move: "call", places: [0, 2] });
    expect(nextMove(limits(), [looking(1)], 0)).toEqual({ move: "think" });
    expect(nextMove(limits(), [looking(1), turn({ text: "done" })], 0)).toEqual({ move: "finish", text: "done" });
  });

  it.each([
    ["turns", { turns: 2 }, 0],
    ["tool-calls", { tool_calls: 1 }, 0],
    ["tokens", { tokens: 20 }, 0],
    ["usd", { usd: 0.02 }, 0],
    ["wall-clock", { wall_ms: 1_000 }, 1_000],
  ] as const)(
    "stops at its limit of %s before another turn, and not in the middle of one",
    (reason, own, elapsedMs) => {
      const turns = [looking(1), looking(2)];
      expect(nextMove(limits(own), turns, elapsedMs)).toEqual({ move: "stop", reason });
      const inTheMiddle = [turns[0] as AgentTurn, { ...(turns[1] as AgentTurn), results: [] }];
      expect(nextMove(limits(own), inTheMiddle, elapsedMs)).toEqual({ move: "call", places: [0] });
      const finished = [turns[0] as AgentTurn, turn({ text: "done" })];
      expect(nextMove(limits(own), finished, elapsedMs).move).toBe("finish");
    },
  );

  it("without a price has no cost to stop at", () => {
    const turns = [looking(1), looking(2)].map((each) => ({ ...each, costUsd: null }));
    expect(nextMove(limits({ usd: 0.001 }), turns, 0)).toEqual({ move: "think" });
  });

  it("stops at the third same call in a row with the same result, however its members are ordered", () => {
    const same = (input: unknown, content = "nothing"): AgentTurn =>
      turn({ toolCalls: [call("look", input)], results: [{ content, isError: false }] });
    const twice = [same({ a: 1, b: [{ c: 2, d: 3 }] }), same({ b: [{ d: 3, c: 2 }], a: 1 })];
    expect(nextMove(limits(), twice, 0)).toEqual({ move: "think" });
    expect(nextMove(limits(), [...twice, same({ a: 1, b: [{ c: 2, d: 3 }] })], 0)).toEqual({
      move: "stop",
      reason: "repeating",
    });
    expect(nextMove(limits(), [...twice, same({ a: 1, b: [{ c: 2, d: 3 }] }, "something")], 0).move).toBe("think");
    expect(nextMove(limits(), [...twice, looking(1), same({ a: 1, b: [{ c: 2, d: 3 }] })], 0).move).toBe("think");
    const atOnce = turn({
      toolCalls: [call("look"), call("look"), call("look")],
      results: Array(3).fill({ content: "nothing", isError: false }),
    });
    expect(nextMove(limits(), [atOnce], 0)).toEqual({ move: "stop", reason: "repeating" });
  });

  it("goes on from any prefix of its journal as it went on the first time", () => {
    const results = fc.array(fc.constantFrom("x", "y", undefined), { maxLength: 4 });
    const journal = fc.array(
      fc.record({ calls: fc.array(fc.constantFrom("a", "b"), { maxLength: 4 }), results, tokens: fc.nat(50) }),
      { maxLength: 12 },
    );
    fc.assert(
      fc.property(journal, fc.nat(400), (given, cap) => {
        const own = limits({ tokens: cap + 1, turns: 8 });
        const turns = given.map(({ calls, results: told, tokens }) =>
          turn({
            toolCalls: calls.map((tool) => call(tool)),
            results: calls.map((_, place) => {
              const content = told[place];
              return content === undefined ? undefined : { content, isError: false };
            }),
            tokens,
          }),
        );
        for (let length = 0; length <= turns.length; length++) {
          const prefix = turns.slice(0, length);
          const move = nextMove(own, prefix, 0);
          expect(nextMove(own, structuredClone(prefix), 0)).toEqual(move);
          const last = prefix.at(-1);
          const isOpen = last?.toolCalls.some((_, place) => last.results[place] === undefined) === true;
          expect(move.move === "call").toBe(isOpen);
          if (move.move === "think") {
            expect(prefix.length).toBeLessThan(8);
            expect(prefix.reduce((sum, { tokens }) => sum + tokens, 0)).toBeLessThan(cap + 1);
          }
        }
      }),
    );
  });
});
