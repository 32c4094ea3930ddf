import { checkExpression, expressionsIn, malformedExpression, referencedSteps } from "../expressions/index.ts";
import type { ExpressionProblem } from "../expressions/index.ts";
import { jsonPointer } from "../json/pointer.ts";
import type { PlanSpec, StepSpec } from "../plan/spec.ts";
import type { AncestryQuestion } from "./ancestry.ts";
import { dependenciesOf } from "./graph.ts";
import type { ProblemList } from "./problem.ts";

/** A step that an expression reads, and the node that must come after it. */
export interface ReferenceQuestion extends AncestryQuestion {
  readonly stepId: string;
  readonly pointer: string;
  readonly reference: string;
  /** The dependency whose condition reads it; undefined when the step itself does. */
  readonly edgeFrom: string | undefined;
}

/** The steps that a plan may name. */
export interface StepNames {
  readonly indexOf: ReadonlyMap<string, number>;
  readonly existing: ReadonlySet<string>;
}

interface ReferenceWalk extends StepNames {
  readonly problems: ProblemList;
  readonly questions: ReferenceQuestion[];
}

/** Where an expression stands. Without a step: the plan's result. */
interface Site {
  readonly stepId?: string;
  readonly pointer: string;
  readonly inMap: boolean;
}

function report(problems: ProblemList, site: Site, problem: ExpressionProblem): void {
  const code = problem.kind === "unknown-step" ? "unknown-step" : "invalid-expression";
  const place = { pointer: site.pointer, ...(site.stepId !== undefined && { stepId: site.stepId }) };
  const owner = site.stepId === undefined ? "the plan's result" : `step "${site.stepId}"`;
  problems.add(
    code,
    place,
    `An expression of ${owner} is not valid at line ${problem.line}, column ${problem.column}: ${problem.message}.`,
  );
}

/** Checks one expression; true when its references may be asked about. */
function check(walk: ReferenceWalk, source: string, site: Site): boolean {
  const knownSteps = { has: (step: string) => walk.indexOf.has(step) || walk.existing.has(step) };
  const found = checkExpression(source, { knownSteps, inMap: site.inMap });
  for (const problem of found) report(walk.problems, site, problem);
  return found.length === 0;
}

function readFields(walk: ReferenceWalk, step: StepSpec, index: number): void {
  const places: readonly { field: readonly string[]; value: unknown; inMap: boolean }[] =
    step.type === "map"
      ? [
          { field: ["over"], value: step.over, inMap: false },
          { field: ["step", "prompt"], value: "prompt" in step.step ? step.step.prompt : undefined, inMap: true },
          {
            field: ["step", "arguments"],
            value: "arguments" in step.step ? step.step.arguments : undefined,
            inMap: true,
          },
        ]
      : [
          { field: ["prompt"], value: "prompt" in step ? step.prompt : undefined, inMap: false },
          { field: ["arguments"], value: "arguments" in step ? step.arguments : undefined, inMap: false },
        ];
  const direct = new Set(dependenciesOf(step).map((dependency) => dependency.step));
  for (const { field, value, inMap } of places) {
    for (const { source, pointer: inside } of expressionsIn(value)) {
      const pointer = jsonPointer(["steps", index, ...field]) + inside;
      const site = { stepId: step.id, pointer, inMap };
      if (source === undefined) {
        const message = `Step "${step.id}": ${malformedExpression}.`;
        walk.problems.add("invalid-expression", { stepId: step.id, pointer }, message);
      } else if (check(walk, source, site)) {
        for (const reference of referencedSteps(source)) {
          const ancestor = walk.indexOf.get(reference);
          if (ancestor === undefined || direct.has(reference)) continue;
          walk.questions.push({ ancestor, node: index, stepId: step.id, pointer, reference, edgeFrom: undefined });
        }
      }
    }
  }
}

/** A condition is evaluated when the dependency ends: it sees that step and what came before it. */
function readConditions(walk: ReferenceWalk, step: StepSpec, index: number): void {
  for (const [entry, { step: edgeFrom, when }] of dependenciesOf(step).entries()) {
    const node = walk.indexOf.get(edgeFrom);
    if (when === undefined || node === undefined) continue;
    const pointer = jsonPointer(["steps", index, "depends_on", entry, "when"]);
    if (!check(walk, when, { stepId: step.id, pointer, inMap: false })) continue;
    for (const reference of referencedSteps(when)) {
      const ancestor = walk.indexOf.get(reference);
      if (ancestor === undefined || ancestor === node) continue;
      walk.questions.push({ ancestor, node, stepId: step.id, pointer, reference, edgeFrom });
    }
  }
}

/** Checks every expression of the plan and collects what has to be an ancestor of what. */
export function readReferences(spec: PlanSpec, names: StepNames, problems: ProblemList): readonly ReferenceQuestion[] {
  const walk: ReferenceWalk = { ...names, problems, questions: [] };
  for (const [index, step] of spec.steps.entries()) {
    readFields(walk, step, index);
    readConditions(walk, step, index);
  }
  if (spec.result !== undefined) check(walk, spec.result.$cel, { pointer: "/result", inMap: false });
  return walk.questions;
}
