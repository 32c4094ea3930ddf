/** Chance from a seed: the same seed and label give the same numbers, so that a run can be repeated. */
import { createHash } from "node:crypto";

export interface Random {
  readonly seed: string;
  /** Uniform in [0, 1). */
  next(): number;
  /** A whole number, both ends included. */
  between(least: number, most: number): number;
  /** Throws RangeError when there is nothing to pick from. */
  pick<Item>(items: readonly Item[]): Item;
  shuffle<Item>(items: readonly Item[]): Item[];
  /** Independent numbers for one part of the run. */
  derive(label: string): Random;
}

export function createRandom(seed: string): Random {
  let state = createHash("sha256").update(seed).digest().readUInt32LE(0);
  // Mulberry32 (Tommy Ettinger, public domain): 32 bits of state are plenty for choosing victims.
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const between = (least: number, most: number): number => least + Math.floor(next() * (most - least + 1));
  return {
    seed,
    next,
    between,
    pick(items) {
      if (items.length === 0) throw new RangeError("There is nothing to pick from.");
      return items[between(0, items.length - 1)] as (typeof items)[number];
    },
    shuffle(items) {
      const left = [...items];
      return items.map(() => left.splice(between(0, left.length - 1), 1)[0] as (typeof items)[number]);
    },
    derive: (label) => createRandom(`${seed}/${label}`),
  };
}
