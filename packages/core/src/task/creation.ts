/**
 * From what a client asks for to a task as the store creates it.
 *
 * Purpose: one layout of a new task, wherever it is created: in the api, or in a client's own transaction.
 * Boundary: pure; ids are handed in. Who asks, and which models there are, is the caller's to check.
 *
 * 1. A plan that cannot run is refused here, before anything is written.
 * 2. Agents are in it as they are defined: whoever knows them by name puts them there, so that a task keeps them.
 * 3. Only Baton's own steps are in the pool `interactive`.
 */
import { reachableAgents } from "../agent/sub-agents.ts";
import { agentDefinition } from "../agent/definition.ts";
import { BatonError } from "../errors/errors.ts";
import type { PlanProblem } from "../graph/problem.ts";
import { validatePlan } from "../graph/validation.ts";
import { defaultTimeoutMs } from "../plan/layout.ts";
import { interactivePool, plannedPool } from "../plan/pools.ts";
import { schedulePlan } from "../plan/schedule.ts";
import type { PlanSpec } from "../plan/spec.ts";
import type { NewStep, NewTask } from "../ports/store.ts";
import type { TaskSettings } from "./settings.ts";

/** Of a plan that a client wrote and that names no limit of its own. */
const mostPlannedSteps = 100_000;

/** A goal, a plan, or both: the body of a request, in its shape. */
export interface TaskRequest {
  readonly goal?: string | undefined;
  readonly plan?: PlanSpec | undefined;
  readonly input?: unknown;
  readonly settings?: { readonly maxSteps?: number | undefined } | undefined;
  readonly threadId?: string | undefined;
}

export interface TaskLayoutOptions {
  /** The request's settings over those of the installation. */
  readonly settings: TaskSettings;
  /** Absent: tools are not checked; a step with an unknown one fails. */
  readonly knownTools?: ReadonlySet<string>;
  /** Tools that exist and may not be called now, with the reason. */
  readonly disabledTools?: ReadonlyMap<string, string>;
  /** UUIDv7. */
  readonly newId: () => string;
}

/** @throws BatonError invalid-plan, invalid-expression or unknown-tool, with pointers into the request */
export function layOutTask(request: TaskRequest, options: TaskLayoutOptions): NewTask {
  const { plan, goal, threadId, input = null } = request;
  const { settings, newId } = options;
  const place = { input, settings, ...(threadId === undefined ? {} : { threadId }) };
  if (plan === undefined) {
    if (goal === undefined) throw new BatonError("invalid-request", "Give `goal`, or `plan`, or both.");
    return { ...place, kind: "goal", goal, steps: [firstStep("plan", settings, newId)] };
  }
  const { steps, estimatedDurationMs } = layOutPlanned(plan, request.settings?.maxSteps ?? mostPlannedSteps, options);
  return {
    ...place,
    kind: "plan",
    goal: goal ?? `Run a plan of ${steps.length} ${steps.length === 1 ? "step" : "steps"}`,
    steps,
    estimatedDurationMs,
    ...(plan.result === undefined ? {} : { result: plan.result }),
  };
}

function layOutPlanned(
  plan: PlanSpec,
  maxSteps: number,
  { settings, knownTools, disabledTools, newId }: TaskLayoutOptions,
): ReturnType<typeof schedulePlan> {
  refuseNamedAgents(plan);
  const problems = validatePlan(plan, {
    maxSteps,
    ...(knownTools === undefined ? {} : { knownTools }),
    ...(disabledTools === undefined ? {} : { disabledTools }),
  });
  if (problems.length > 0) throw planError(problems);
  refuseInteractive(plan);
  const { retry, concurrency } = settings;
  return schedulePlan(plan, { pool: plannedPool, newId, retry, concurrency });
}

function planError(problems: readonly PlanProblem[]): BatonError {
  const first = problems[0] as PlanProblem;
  const isExpression = problems.every(({ code }) => code === "invalid-expression");
  const isTool = problems.every(({ code }) => code === "unknown-tool");
  const isDisabled = problems.every(({ code }) => code === "tool-disabled");
  const ofTools = isTool ? "unknown-tool" : isDisabled ? "tool-disabled" : "invalid-plan";
  const code = isExpression ? "invalid-expression" : ofTools;
  return new BatonError(code, first.message, {
    problems: problems.map(({ pointer, message }) => ({ pointer: `/plan${pointer}`, detail: message })),
  });
}

function refuseNamedAgents(plan: PlanSpec): void {
  for (const [index, step] of plan.steps.entries()) {
    if (step.type !== "agent") continue;
    const { agent, agents = [] } = step;
    const defined = new Map(agents.map((each) => [each.name, each]));
    const [name] = typeof agent === "string" ? [agent] : reachableAgents(agent, defined).missing;
    if (name === undefined) continue;
    const field = typeof agent === "string" ? "agent" : "agents";
    const detail = `Step "${step.id}" names the agent "${name}", which is not known here. Hand its definition over.`;
    throw new BatonError("unknown-agent", detail, { problems: [{ pointer: `/plan/steps/${index}/${field}`, detail }] });
  }
}

/** The api process serves this pool, and it performs nothing but plans and replies. */
function refuseInteractive(plan: PlanSpec): void {
  for (const [index, step] of plan.steps.entries()) {
    const places =
      step.type === "map"
        ? [
            ["", step.pool],
            ["/step", step.step.pool],
          ]
        : [["", step.pool]];
    for (const [place, pool] of places) {
      if (pool !== interactivePool) continue;
      const detail = `Step "${step.id}" names the pool "${interactivePool}", which only Baton's own steps use. Name another pool, or none.`;
      throw new BatonError("invalid-plan", detail, {
        problems: [{ pointer: `/plan/steps/${index}${place}/pool`, detail }],
      });
    }
  }
}

/** What a reply with tools is given; the thread is read when it is performed. */
export interface ReplyTools {
  readonly message: string;
  /** Names; at least one. */
  readonly tools: readonly string[];
}

const replyLimits = { turns: 20, tool_calls: 100 };

/**
 * A reply that may call tools is an agent's loop: journaled, in the pool of planned steps, so that no tool ever runs in
 * the process that answers requests.
 */
export function replyWithTools({ message, tools }: ReplyTools, settings: TaskSettings, newId: () => string): NewStep {
  const agent = agentDefinition.parse({
    name: "chat",
    description: "Answers in a conversation",
    instructions: "You answer in a conversation. Be direct and correct; say so when you do not know.",
    tools: [...tools],
    limits: replyLimits,
  });
  return {
    ...firstStep("reply", settings, newId),
    type: "agent",
    config: { agent, prompt: message, conversation: true },
    pool: plannedPool,
    timeoutMs: defaultTimeoutMs.agent ?? 900_000,
  };
}

/** The one step a goal or a simple message begins with. */
export function firstStep(kind: "plan" | "reply", settings: TaskSettings, newId: () => string): NewStep {
  return {
    stepId: newId(),
    key: kind,
    kind,
    type: kind,
    description: kind === "plan" ? "Plan the goal" : "Answer the message",
    config: {},
    join: "all",
    dependsOn: [],
    references: [],
    rank: 0,
    pool: interactivePool,
    timeoutMs: defaultTimeoutMs[kind] ?? 900_000,
    retry: settings.retry ?? {},
    onExhausted: "fail",
  };
}
