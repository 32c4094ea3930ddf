/** What can be wrong with a plan beyond its shape. */
export const planProblemCodes = [
  "empty",
  "too-large",
  "duplicate-id",
  "unknown-dependency",
  "self-dependency",
  "duplicate-dependency",
  "cycle",
  "join-too-large",
  "invalid-expression",
  "unknown-step",
  "not-an-ancestor",
  "unknown-tool",
  "tool-disabled",
] as const;
export type PlanProblemCode = (typeof planProblemCodes)[number];

export interface PlanProblem {
  readonly code: PlanProblemCode;
  readonly stepId?: string;
  /** RFC 6901, from the plan's root. */
  readonly pointer: string;
  /** Names the step and the fix. */
  readonly message: string;
}

/** More problems than this help nobody, and a plan of 100,000 steps may have as many. */
const maxProblems = 100;

export interface ProblemList {
  readonly found: readonly PlanProblem[];
  add(code: PlanProblemCode, place: { stepId?: string; pointer: string }, message: string): void;
}

export function createProblemList(): ProblemList {
  const found: PlanProblem[] = [];
  return {
    found,
    add(code, place, message) {
      if (found.length < maxProblems) found.push({ code, ...place, message });
    },
  };
}
