/**
 * How good a plan is for a goal: one verdict per expectation that its label states.
 *
 * 1. A goal is right when every check that was asked of it passed.
 * 2. Tools are held against the catalogue here again: that none is unknown is never taken on trust.
 */
import type { EvaluatedPlan } from "@baton/contracts";
import type { LabelledGoal } from "@baton/definitions";
import { type JudgedStep, judgedSteps } from "./plan-graph.ts";

export const checks = [
  "accepted",
  "known-tools",
  "steps",
  "uses",
  "avoids",
  "each-item",
  "deliverables",
  "parallel",
] as const;
export type Check = (typeof checks)[number];

export interface Verdict {
  readonly check: Check;
  readonly passed: boolean;
  /** What is wrong; empty when it passed. */
  readonly why: string;
}

export interface JudgedGoal {
  readonly id: string;
  readonly category: string;
  readonly heldOut: boolean;
  readonly right: boolean;
  readonly error?: string;
  readonly verdicts: readonly Verdict[];
  readonly stepCount: number;
  /** Answers that were refused before the plan, or before giving up. */
  readonly rejected: number;
}

/** A tool as far as a plan is judged by it. */
export interface CataloguedTool {
  readonly name: string;
  readonly effect: string;
}

export function judgePlan(
  goal: LabelledGoal,
  { plan, error, rejected }: Pick<EvaluatedPlan, "plan" | "error" | "rejected">,
  catalogue: readonly CataloguedTool[],
): JudgedGoal {
  const { id, category, held_out: heldOut, expect } = goal;
  const label = { id, category, heldOut, rejected: rejected.length };
  if (plan === undefined) {
    const why = error?.message ?? "There was no answer.";
    const verdicts = [{ check: "accepted" as const, passed: false, why }];
    return { ...label, right: false, error: error?.code ?? "no-answer", verdicts, stepCount: 0 };
  }
  const reads = new Set(catalogue.filter(({ effect }) => effect === "read").map(({ name }) => name));
  const steps = judgedSteps(plan, reads);
  const offered = new Set(goal.tools ?? catalogue.map(({ name }) => name));
  const used = steps.flatMap(({ tools }) => tools);
  const verdicts = [
    verdict("accepted", ""),
    verdict(
      "known-tools",
      listed(
        "it names",
        [...new Set(used)].filter((tool) => !offered.has(tool)),
      ),
    ),
    ...asked("steps", expect.steps, ([least, most]) =>
      steps.length < least || steps.length > most ? `it has ${steps.length} steps, not ${least} to ${most}` : "",
    ),
    ...asked("uses", expect.uses, (tools) =>
      listed(
        "it does not use",
        tools.flatMap((tool) => ([tool].flat().some((one) => used.includes(one)) ? [] : [[tool].flat().join(" or ")])),
      ),
    ),
    ...asked("avoids", expect.avoids, (tools) =>
      listed(
        "it uses",
        tools.filter((tool) => used.includes(tool)),
      ),
    ),
    ...asked("each-item", expect.each_item, () =>
      steps.some(({ type }) => type === "map") ? "" : "no step works on one item at a time",
    ),
    ...asked("deliverables", expect.deliverables, (wanted) => missingDeliverable(steps, wanted)),
    ...asked("parallel", expect.parallel, (groups) =>
      groups
        .map((group) => whyNotParallel(steps, group))
        .filter((why) => why !== "")
        .join("; "),
    ),
  ];
  return { ...label, right: verdicts.every(({ passed }) => passed), verdicts, stepCount: steps.length };
}

const verdict = (check: Check, why: string): Verdict => ({ check, passed: why === "", why });

function asked<T>(check: Check, expected: T | undefined, judge: (expected: T) => string): readonly Verdict[] {
  return expected === undefined ? [] : [verdict(check, judge(expected))];
}

const listed = (before: string, names: readonly string[]): string =>
  names.length === 0 ? "" : `${before} ${names.join(", ")}`;

const mentions = ({ text }: JudgedStep, words: readonly string[]): boolean =>
  words.some((word) => text.includes(word.toLowerCase()));

/** Each deliverable needs a step of its own: the question is whether they can be dealt out. */
function missingDeliverable(steps: readonly JudgedStep[], wanted: readonly (readonly string[])[]): string {
  const making = steps.filter(({ makes }) => makes);
  const maker = new Map<JudgedStep, number>();
  const deal = (deliverable: number, tried: Set<JudgedStep>): boolean =>
    making.some((step) => {
      if (tried.has(step) || !mentions(step, wanted[deliverable] ?? [])) return false;
      tried.add(step);
      const other = maker.get(step);
      if (other !== undefined && !deal(other, tried)) return false;
      maker.set(step, deliverable);
      return true;
    });
  const missing = wanted.filter((_words, deliverable) => !deal(deliverable, new Set()));
  return listed(
    "no step of its own makes",
    missing.map(([word = ""]) => word),
  );
}

/** Strands are parallel when a map holds all of them, or when no step of one waits for a step of another. */
function whyNotParallel(steps: readonly JudgedStep[], strands: readonly (readonly string[])[]): string {
  if (steps.some((step) => step.type === "map" && strands.every((words) => mentions(step, words)))) return "";
  const own = strands.map((words) =>
    steps.filter((step) => strands.every((other) => mentions(step, other) === (other === words))),
  );
  const absent = strands.filter((_words, index) => own[index]?.length === 0);
  if (absent.length > 0)
    return listed(
      "no step of its own is about",
      absent.map(([word = ""]) => word),
    );
  for (const [index, strand] of own.entries()) {
    const others = own.filter((_strand, other) => other !== index).flat();
    for (const step of strand) {
      const before = others.find(({ id }) => step.after.has(id));
      if (before !== undefined) return `${step.id} waits for ${before.id}`;
    }
  }
  return "";
}

export interface PlanScore {
  readonly count: number;
  readonly right: number;
  readonly errors: number;
  readonly rejected: number;
  readonly checks: readonly { readonly check: Check; readonly asked: number; readonly passed: number }[];
}

export function scorePlans(judged: readonly JudgedGoal[]): PlanScore {
  const verdicts = judged.flatMap(({ verdicts: each }) => each);
  return {
    count: judged.length,
    right: judged.filter(({ right }) => right).length,
    errors: judged.filter(({ error }) => error !== undefined).length,
    rejected: judged.reduce((sum, { rejected }) => sum + rejected, 0),
    checks: checks.flatMap((check) => {
      const of = verdicts.filter((each) => each.check === check);
      return of.length === 0 ? [] : [{ check, asked: of.length, passed: of.filter(({ passed }) => passed).length }];
    }),
  };
}
