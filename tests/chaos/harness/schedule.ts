/**
 * What the long tier runs next, and how large.
 *
 * 1. Without a limit: every case on every combination of backend and continuation, at full scale.
 * 2. With a limit: passes over all cases, each pass on the next combination. All cases of a pass get the same fraction of
 *    the way from tier T's scale to tier L's: the largest with which what is left of the pass is expected to fit.
 * 3. The estimates of the cases are corrected by how long the runs so far really took.
 */
import type { Backend } from "../../stack/stack.ts";
import type { ChaosCase, Scale } from "./case.ts";

export interface Combination {
  readonly backend: Backend;
  readonly continuation: boolean;
}

export interface PlannedRun extends Combination {
  readonly chaosCase: ChaosCase;
  readonly scale: Scale;
  /** Different for each run of the same case. */
  readonly label: string;
}

export interface Schedule {
  /** Undefined when nothing is left, or nothing fits any more. */
  next(remainingMs: number): PlannedRun | undefined;
  /** How long the run given last really took. */
  took(ms: number): void;
}

export function fullSchedule(cases: readonly ChaosCase[], combinations: readonly Combination[]): Schedule {
  const runs = cases.flatMap((chaosCase) =>
    combinationsOf(chaosCase, combinations).map((combination) => planned(chaosCase, combination, 1, 0)),
  );
  return { next: () => runs.shift(), took: () => undefined };
}

export function boundedSchedule(cases: readonly ChaosCase[], combinations: readonly Combination[]): Schedule {
  let pass = 0;
  let left = [...cases];
  let expectedMs = 0;
  const spent = { realMs: 0, estimatedMs: 0 };
  return {
    next(remainingMs) {
      if (left.length === 0) {
        left = [...cases];
        pass += 1;
      }
      const slowness = spent.estimatedMs === 0 ? 1 : spent.realMs / spent.estimatedMs;
      const fraction = fractionThatFits(left, remainingMs / slowness);
      const chaosCase = left.shift();
      if (chaosCase === undefined || remainingMs <= 0) return undefined;
      expectedMs = estimate(chaosCase, fraction);
      // Each case runs once, even when the estimate says that it will not fit; a repetition has to fit.
      if (pass > 0 && expectedMs * slowness > remainingMs) return undefined;
      const own = combinationsOf(chaosCase, combinations);
      const combination = own[(pass + cases.indexOf(chaosCase)) % own.length];
      return combination === undefined ? this.next(remainingMs) : planned(chaosCase, combination, fraction, pass);
    },
    took(ms) {
      spent.realMs += ms;
      spent.estimatedMs += expectedMs;
    },
  };
}

function combinationsOf({ backends }: ChaosCase, combinations: readonly Combination[]): readonly Combination[] {
  return combinations.filter(({ backend }) => backends.includes(backend));
}

function planned(chaosCase: ChaosCase, combination: Combination, fraction: number, pass: number): PlannedRun {
  const { backend, continuation } = combination;
  const label = `${chaosCase.id}/${backend}/${continuation ? "on" : "off"}/${pass}`;
  return { chaosCase, backend, continuation, scale: scaleBetween(chaosCase.scale, fraction), label };
}

/** 0 is tier T, 1 is tier L; every number lies on the line between. */
export function scaleBetween({ t, l }: ChaosCase["scale"], fraction: number): Scale {
  const between = (least: number, most: number): number => Math.round(least + (most - least) * fraction);
  return Object.fromEntries(Object.entries(t).map(([name, least]) => [name, between(least, l[name] ?? least)]));
}

function fractionThatFits(left: readonly ChaosCase[], ms: number): number {
  const leastMs = left.reduce((sum, chaosCase) => sum + estimate(chaosCase, 0), 0);
  const mostMs = left.reduce((sum, chaosCase) => sum + estimate(chaosCase, 1), 0);
  if (mostMs <= leastMs) return 1;
  return Math.min(1, Math.max(0, (ms - leastMs) / (mostMs - leastMs)));
}

const estimate = ({ seconds: { t, l } }: ChaosCase, fraction: number): number => (t + (l - t) * fraction) * 1_000;
