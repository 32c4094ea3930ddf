/**
 * What one evaluation may cost.
 *
 * One unit is about one visited value or 16 characters. Evaluation is synchronous and never re-entered,
 * so one meter serves them all: it is reset when an evaluation begins.
 */
import { TooExpensive } from "./failure.ts";

/** Under a second of work on the target machine at worst (measured: 0.1 to 0.8 s by kind of work). */
const maxCost = 4_000_000;

let spent = 0;

export const meter = {
  reset(): void {
    spent = 0;
  },
  charge(units: number): void {
    spent += units;
    if (spent > maxCost) throw new TooExpensive();
  },
};

export function textCost(text: string): number {
  return 1 + (text.length >> 4);
}

/** The cost of looking at the outside of a value: a text's length, a list's elements. */
export function shallowCost(value: unknown): number {
  if (typeof value === "string") return textCost(value);
  return Array.isArray(value) ? 1 + value.length : 1;
}

/** Charges for looking at every value inside, and stops as soon as that is too much. */
export function chargeDeep(value: unknown): void {
  const open: unknown[] = [value];
  while (open.length > 0) {
    const next = open.pop();
    meter.charge(typeof next === "string" ? textCost(next) : 1);
    if (typeof next !== "object" || next === null) continue;
    for (const child of next instanceof Map ? next.values() : Object.values(next)) open.push(child);
  }
}
