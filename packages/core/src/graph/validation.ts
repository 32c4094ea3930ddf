import { jsonPointer } from "../json/pointer.ts";
import type { PlanSpec, StepSpec } from "../plan/spec.ts";
import type { AgentDefinition } from "../agent/definition.ts";
import { memorySearch, memoryStore } from "../agent/memory.ts";
import { askUser } from "../questions/question.ts";
import { notAncestors } from "./ancestry.ts";
import { dependenciesOf, graphOf } from "./graph.ts";
import type { PlanGraph } from "./graph.ts";
import { cycleMessage, findCycles, topologicalOrder } from "./order.ts";
import { createProblemList } from "./problem.ts";
import type { PlanProblem, PlanProblemCode, ProblemList } from "./problem.ts";
import { readReferences } from "./references.ts";
import type { ReferenceQuestion, StepNames } from "./references.ts";

export interface PlanLimits {
  readonly maxSteps: number;
  /** Absent: tools are not checked. */
  readonly knownTools?: ReadonlySet<string>;
  /** Tools that exist and may not be called now, with the reason. */
  readonly disabledTools?: ReadonlyMap<string, string>;
  /** Steps of the task outside this plan (for revisions): they may be depended on and read without more. */
  readonly existingSteps?: ReadonlySet<string>;
}

const noSteps: ReadonlySet<string> = new Set();
/** Every agent may name these; no worker has them among its tools. */
const agentTools: ReadonlySet<string> = new Set([askUser, memoryStore, memorySearch]);

function indexSteps(spec: PlanSpec, existing: ReadonlySet<string>, problems: ProblemList): Map<string, number> {
  const indexOf = new Map<string, number>();
  for (const [index, { id }] of spec.steps.entries()) {
    const first = indexOf.get(id);
    if (first === undefined) indexOf.set(id, index);
    if (first === undefined && !existing.has(id)) continue;
    const message = existing.has(id)
      ? `The task already has a step "${id}". Choose another id.`
      : `Two steps have the id "${id}" (positions ${first} and ${index}). Rename one of them.`;
    problems.add("duplicate-id", { stepId: id, pointer: jsonPointer(["steps", index, "id"]) }, message);
  }
  return indexOf;
}

function edgeFault(
  stepId: string,
  name: string,
  { isKnown, seen }: { readonly isKnown: boolean; readonly seen: ReadonlySet<string> },
): { readonly code: PlanProblemCode; readonly message: string } | undefined {
  if (name === stepId) {
    return { code: "self-dependency", message: `Step "${stepId}" depends on itself. Remove that dependency.` };
  }
  if (!isKnown) {
    const message = `Step "${stepId}" depends on "${name}", which does not exist. Add that step or correct the name.`;
    return { code: "unknown-dependency", message };
  }
  if (!seen.has(name)) return undefined;
  return { code: "duplicate-dependency", message: `Step "${stepId}" depends on "${name}" twice. Remove one.` };
}

function readEdges(spec: PlanSpec, { indexOf, existing }: StepNames, problems: ProblemList): PlanGraph {
  const from: number[] = [];
  const to: number[] = [];
  for (const [index, step] of spec.steps.entries()) {
    const seen = new Set<string>();
    for (const [entry, { step: name }] of dependenciesOf(step).entries()) {
      const source = indexOf.get(name);
      const fault = edgeFault(step.id, name, { isKnown: source !== undefined || existing.has(name), seen });
      if (fault !== undefined) {
        const pointer = jsonPointer(["steps", index, "depends_on", entry]);
        problems.add(fault.code, { stepId: step.id, pointer }, fault.message);
        continue;
      }
      seen.add(name);
      if (source === undefined) continue;
      from.push(source);
      to.push(index);
    }
  }
  const nodes = spec.steps.map(({ id }) => id);
  return graphOf(nodes, { from: Int32Array.from(from), to: Int32Array.from(to) });
}

function checkJoin(step: StepSpec, index: number, problems: ProblemList): void {
  const { join } = step;
  if (join === undefined || join === "all") return;
  const needed = join === "any" ? 1 : join.n;
  const given = step.depends_on?.length ?? 0;
  if (needed <= given) return;
  const place = { stepId: step.id, pointer: jsonPointer(["steps", index, "join"]) };
  const message = `Step "${step.id}" waits for ${needed} of its dependencies but has ${given}. Lower join or add dependencies.`;
  problems.add("join-too-large", place, message);
}

/** The tools that a step names, with the fields in which it does. */
function namedTools(
  step: StepSpec,
): readonly { readonly tool: string; readonly field: readonly (string | number)[] }[] {
  if (step.type === "agent") {
    const { agent, agents = [] } = step;
    return [
      ...(typeof agent === "string" ? [] : toolsOfAgent(agent, ["agent"])),
      ...agents.flatMap((each, at) => toolsOfAgent(each, ["agents", at])),
    ];
  }
  if (step.type === "map") return step.step.type === "tool" ? [{ tool: step.step.tool, field: ["step", "tool"] }] : [];
  return step.type === "tool" ? [{ tool: step.tool, field: ["tool"] }] : [];
}

function toolsOfAgent({ tools }: AgentDefinition, place: readonly (string | number)[]) {
  return tools.flatMap((tool, at) => (agentTools.has(tool) ? [] : [{ tool, field: [...place, "tools", at] }]));
}

function checkTools(
  step: StepSpec,
  index: number,
  { knownTools: known, disabledTools }: Pick<PlanLimits, "knownTools" | "disabledTools">,
  problems: ProblemList,
): void {
  if (known === undefined) return;
  for (const { tool, field } of namedTools(step)) {
    if (known.has(tool)) continue;
    const place = { stepId: step.id, pointer: jsonPointer(["steps", index, ...field]) };
    const why = disabledTools?.get(tool);
    if (why !== undefined) {
      problems.add("tool-disabled", place, `Step "${step.id}": ${why}`);
      continue;
    }
    const names = [...known].slice(0, 20).join(", ");
    problems.add("unknown-tool", place, `Step "${step.id}" uses the tool "${tool}"; known are: ${names || "none"}.`);
  }
}

function checkCycles(graph: PlanGraph, reached: Uint8Array, problems: ProblemList): void {
  for (const cycle of findCycles(graph, reached)) {
    const first = cycle[0]!;
    const place = { stepId: graph.nodes[first]!, pointer: jsonPointer(["steps", first, "depends_on"]) };
    problems.add("cycle", place, cycleMessage(graph, cycle));
  }
}

function refutedMessage({ stepId, reference, edgeFrom }: ReferenceQuestion): string {
  if (edgeFrom !== undefined) {
    return (
      `The condition of step "${stepId}" on "${edgeFrom}" reads "${reference}", which is not certain to have ended ` +
      `when "${edgeFrom}" ends. Add "${reference}" to depends_on of "${edgeFrom}", or read another step.`
    );
  }
  if (reference === stepId) return `Step "${stepId}" reads its own output, which does not exist before it has run.`;
  return `Step "${stepId}" reads "${reference}", which is not certain to come before it. Add "${reference}" to its depends_on.`;
}

/**
 * Everything that keeps a well-shaped plan from running; empty when it may run. At most 100 problems.
 * Order matters to callers that show the first only: structure, then tools and joins, then expressions.
 */
export function validatePlan(spec: PlanSpec, limits: PlanLimits): readonly PlanProblem[] {
  const problems = createProblemList();
  const count = spec.steps.length;
  if (count === 0) problems.add("empty", { pointer: "/steps" }, "The plan has no steps. Give at least one.");
  if (count > limits.maxSteps) {
    const message = `The plan has ${count} steps; ${limits.maxSteps} are allowed. Use a map for repeated steps, or raise maxSteps.`;
    problems.add("too-large", { pointer: "/steps" }, message);
  }
  if (problems.found.length > 0) return problems.found;
  const existing = limits.existingSteps ?? noSteps;
  const indexOf = indexSteps(spec, existing, problems);
  const graph = readEdges(spec, { indexOf, existing }, problems);
  const { order, reached } = topologicalOrder(graph);
  checkCycles(graph, reached, problems);
  const isOrdered = problems.found.length === 0;
  for (const [index, step] of spec.steps.entries()) {
    checkJoin(step, index, problems);
    checkTools(step, index, limits, problems);
  }
  const questions = readReferences(spec, { indexOf, existing }, problems);
  if (!isOrdered) return problems.found;
  for (const question of notAncestors(graph, order, questions)) {
    problems.add("not-an-ancestor", { stepId: question.stepId, pointer: question.pointer }, refutedMessage(question));
  }
  return problems.found;
}
