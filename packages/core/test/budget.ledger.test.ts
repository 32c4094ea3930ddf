import {
  type Amounts,
  type BudgetDemand,
  type BudgetState,
  nothing,
  overrunOf,
  reserve,
  reserved,
  roundedUsd,
  settled,
} from "@baton/core/budget";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

const usd = (most: number) => fc.nat(most).map((nanos) => nanos / 1e9);

const demand: fc.Arbitrary<BudgetDemand> = fc
  .record({
    kind: fc.constantFrom("model" as const, "model" as const, "tool" as const),
    inputTokens: fc.nat(500),
    least: fc.nat(100),
    more: fc.nat(1_000),
    inputUsd: usd(5_000_000),
    usdPerOutputToken: usd(50_000),
  })
  .map(({ more, ...rest }) => ({ ...rest, most: rest.least + more }));

const caps = fc.record(
  { tokens: fc.integer({ min: 1, max: 5_000 }), usd: usd(50_000_000), modelCalls: fc.nat(10), toolCalls: fc.nat(4) },
  { requiredKeys: [] },
);

/** What a call does next: begins, ends at most as it was reserved, ends above it, or is given back. */
const move = fc.oneof(
  fc.record({ move: fc.constant("begin" as const), demand }),
  fc.record({
    move: fc.constant("end" as const),
    share: fc.double({ min: 0, max: 1, noNaN: true }),
    overrun: fc.constant(0),
  }),
  fc.record({ move: fc.constant("end" as const), share: fc.constant(1), overrun: fc.nat(50) }),
  fc.record({ move: fc.constant("give-back" as const) }),
);

const nanos = (value: number) => Math.round(value * 1e9);

function withinCaps(
  { caps: limits, settled: spent, reserved: held }: BudgetState,
  overrun: { tokens: number; usd: number },
): boolean {
  const most = Number.POSITIVE_INFINITY;
  return (
    spent.tokens + held.tokens <= (limits.tokens ?? most) + overrun.tokens &&
    nanos(spent.usd) + nanos(held.usd) <= nanos(limits.usd ?? most) + nanos(overrun.usd) &&
    spent.modelCalls + held.modelCalls <= (limits.modelCalls ?? most) &&
    spent.toolCalls + held.toolCalls <= (limits.toolCalls ?? most)
  );
}

describe("a budget", () => {
  it("is never passed by what is settled and reserved, but for the overruns that are reported", () => {
    fc.assert(
      fc.property(
        fc.array(caps, { minLength: 1, maxLength: 3 }),
        fc.array(move, { maxLength: 40 }),
        (limits, moves) => {
          let states: BudgetState[] = limits.map((each) => ({
            caps: each,
            settled: nothing,
            reserved: nothing,
            elapsedMs: 0,
          }));
          const open: Amounts[] = [];
          const overrun = { tokens: 0, usd: 0 };
          for (const each of moves) {
            if (each.move === "begin") {
              const verdict = reserve(states, each.demand);
              if ("refusal" in verdict) continue;
              expect(verdict.granted).toBeGreaterThanOrEqual(each.demand.least);
              expect(verdict.granted).toBeLessThanOrEqual(each.demand.most);
              states = states.map((state) => reserved(state, verdict.amounts));
              open.push(verdict.amounts);
              expect(states.every((state) => withinCaps(state, overrun))).toBe(true);
              continue;
            }
            const held = open.shift();
            if (held === undefined) continue;
            const share = each.move === "give-back" ? 0 : each.share;
            const above = each.move === "give-back" ? 0 : each.overrun;
            const calls = each.move === "give-back" ? 0 : 1;
            const actual = {
              tokens: Math.floor(held.tokens * share) + above,
              usd: Math.floor(nanos(held.usd) * share) / 1e9,
              modelCalls: Math.min(calls, held.modelCalls),
              toolCalls: Math.min(calls, held.toolCalls),
            };
            const over = overrunOf(held, actual);
            overrun.tokens += over.tokens;
            overrun.usd += over.usd;
            states = states.map((state) => settled(state, held, actual));
            expect(states.every((state) => withinCaps(state, overrun))).toBe(true);
          }
          const left = open.reduce((sum, held) => sum + held.tokens, 0);
          for (const state of states) expect(state.reserved.tokens).toBe(left);
        },
      ),
      { numRuns: 500 },
    );
  });

  it("refuses for now only what would fit without the calls under way, and for good before for now", () => {
    fc.assert(
      fc.property(caps, caps, demand, demand, (one, other, first, second) => {
        const fresh = [one, other].map(
          (each): BudgetState => ({ caps: each, settled: nothing, reserved: nothing, elapsedMs: 0 }),
        );
        const before = reserve(fresh, first);
        const states = "refusal" in before ? fresh : fresh.map((state) => reserved(state, before.amounts));
        const verdict = reserve(states, second);
        if (!("refusal" in verdict)) return;
        expect(verdict.refusal.later).toBe(!("refusal" in reserve(fresh, second)));
      }),
    );
  });

  it("gives an answer as much as is left, and not a token more", () => {
    const state: BudgetState = {
      caps: { tokens: 1_000, usd: 0.01 },
      settled: nothing,
      reserved: nothing,
      elapsedMs: 0,
    };
    const call: BudgetDemand = {
      kind: "model",
      inputTokens: 100,
      least: 10,
      most: 64_000,
      inputUsd: 0.001,
      usdPerOutputToken: 0.000_02,
    };
    expect(reserve([state], call)).toMatchObject({ granted: 450, amounts: { tokens: 550, usd: 0.01 } });
    expect(reserve([state], { ...call, usdPerOutputToken: 0 })).toMatchObject({ granted: 900 });
    expect(reserve([state], { ...call, least: 451 })).toMatchObject({ at: 0, refusal: { kind: "usd", later: false } });
  });

  it("is over when its time is, for tools as well", () => {
    const state: BudgetState = { caps: { wallMs: 1_000 }, settled: nothing, reserved: nothing, elapsedMs: 1_000 };
    const call = { inputTokens: 0, least: 0, most: 0, inputUsd: 0, usdPerOutputToken: 0 };
    for (const kind of ["model", "tool"] as const)
      expect(reserve([state], { ...call, kind })).toMatchObject({
        refusal: { kind: "wallMs", settled: 1_000, later: false },
      });
    expect(reserve([{ ...state, elapsedMs: 999 }], { ...call, kind: "tool" })).toMatchObject({
      amounts: { toolCalls: 1 },
    });
  });
});

describe("US dollars", () => {
  it("are rounded up to the billionth, and not by what binary fractions add", () => {
    expect(roundedUsd(0.1 + 0.2)).toBe(0.3);
    expect(roundedUsd(0.000_000_000_1)).toBe(0.000_000_001);
    expect(roundedUsd((3 * 0.1) / 1e6)).toBe(0.000_000_3);
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1_000, noNaN: true }), (value) => roundedUsd(value) >= value - 1e-12),
    );
  });
});
