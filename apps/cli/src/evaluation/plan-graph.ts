/** A plan as a judge reads it: what each step says of itself, which tools it names, and what comes before it. */
import type { EvaluatedPlan } from "@baton/contracts";

export type Plan = NonNullable<EvaluatedPlan["plan"]>;
type Step = Plan["steps"][number];

export interface JudgedStep {
  readonly id: string;
  readonly type: string;
  readonly tools: readonly string[];
  /** Its own words in lower case, without the names of the steps that it reads. */
  readonly text: string;
  /** It makes something new, rather than read what there is. */
  readonly makes: boolean;
  /** Every step that must end before it begins. */
  readonly after: ReadonlySet<string>;
}

/** `reads`: tools that only read. */
export function judgedSteps({ steps }: Plan, reads: ReadonlySet<string>): readonly JudgedStep[] {
  const dependencies = new Map(steps.map((step) => [step.id, directOf(step)]));
  return steps.map((step) => {
    const tools = toolsOf(step);
    return {
      id: step.id,
      type: step.type,
      tools,
      text: textOf(step),
      makes: step.type !== "checkpoint" && !(tools.length > 0 && tools.every((tool) => reads.has(tool))),
      after: ancestorsOf(step.id, dependencies),
    };
  });
}

function directOf({ depends_on: dependsOn = [] }: Step): readonly string[] {
  return dependsOn.map((dependency) => (typeof dependency === "string" ? dependency : dependency.step));
}

function ancestorsOf(id: string, dependencies: ReadonlyMap<string, readonly string[]>): ReadonlySet<string> {
  const found = new Set<string>();
  const open = [...(dependencies.get(id) ?? [])];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (found.has(next)) continue;
    found.add(next);
    open.push(...(dependencies.get(next) ?? []));
  }
  return found;
}

function toolsOf(step: Step): readonly string[] {
  if (step.type === "tool") return [step.tool];
  if (step.type === "map") return step.step.type === "tool" ? [step.step.tool] : [];
  return step.type === "agent" && typeof step.agent === "object" ? step.agent.tools : [];
}

const readsOfSteps = /\bsteps(?:\.[A-Za-z0-9_]+|\[\s*\\?["'][^"']*["']\s*\])/g;

function textOf(step: Step): string {
  const { depends_on: _before, ...own } = step;
  return JSON.stringify(own).replaceAll(readsOfSteps, " ").toLowerCase();
}
