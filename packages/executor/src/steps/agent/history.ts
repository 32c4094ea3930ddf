/**
 * What an agent's prompt leaves out when not all of its history fits.
 *
 * Purpose: an agent of hundreds of turns stays inside its context. Boundary: decides what is left out; the words are
 * prompt.ts's, the counts the context budget's.
 *
 * 1. Left out first are the results of tools, the oldest turns' first, then whole turns; never the instructions, the goal,
 *    the material or the last turns.
 * 2. What one prompt leaves out, the next ones leave out too, and more is left out than has to be: so prompts keep their
 *    beginning for many turns, and providers their caches.
 * 3. How much is left out stands in the turn's record: another worker asks with the same prompt.
 */
import { BatonError } from "@baton/core";
import { resultsRead } from "@baton/core/agent";
import { type Budget, createBudget } from "@baton/core/context";
import type { ModelRef } from "@baton/core/plan";
import type { ModelMessage, ModelTool } from "@baton/core/ports";
import { agentPrompt, type Omission } from "./prompt.ts";
import type { Run } from "./run.ts";

/** Whatever happens, these are told in full. */
const toldTurns = 2;
/** Of what a prompt may have; the rest is for the turns to come. */
const targetShare = 0.5;

export interface FittedPrompt {
  readonly messages: readonly ModelMessage[];
  readonly omission: Omission;
  /** Set when more is left out than before. */
  readonly compacted?: { readonly tokensBefore: number; readonly tokensAfter: number };
}

/** How much of the context is the prompt's. */
export interface Room {
  readonly budget: Budget;
  /** Tokens; tools stand beside the messages. */
  readonly usable: number;
}

/** It is told of the reading of results once there is something to read. */
export function modelTools({
  tools,
  turns,
  omission,
}: Pick<Run, "tools" | "turns" | "omission">): readonly ModelTool[] {
  const hasMore =
    omission.results > 0 || turns.some(({ results }) => results.some((each) => each?.chars !== undefined));
  return [...tools.values()].flatMap(({ name, description, inputSchema }) =>
    name === resultsRead && !hasMore ? [] : [{ name, description, inputSchema }],
  );
}

export async function roomOf(
  run: Pick<Run, "parts" | "context" | "tools" | "turns" | "omission">,
  model: ModelRef,
): Promise<Room> {
  const { signal, step } = run.context;
  const budget = createBudget(run.parts.models, model, step.task.settings.contextWindowLimit, signal);
  const beside = run.tools.size === 0 ? 0 : await budget.estimate(JSON.stringify(modelTools(run)));
  return { budget, usable: budget.usable - beside };
}

type Told = Pick<Run, "brief" | "turns" | "omission">;

/**
 * Throws `context-too-large` when what is never left out does not fit.
 * `always`: leaves more out although it seems to fit, because the provider says that it does not.
 */
export async function fitPrompt(run: Told, { budget, usable }: Room, always = false): Promise<FittedPrompt> {
  const whole = promptOf(run, run.omission);
  const size = await budget.count(whole);
  if (size <= usable && !always) return { messages: whole, omission: run.omission };
  const steps = stepsFrom(run);
  const estimated = await budget.estimateOf(whole);
  // The estimate, corrected by what the provider counted.
  const target = (always ? Math.min(size, usable) : usable) * targetShare * (estimated / size);
  let [low, high] = [0, steps.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    const fits = (await budget.estimateOf(promptOf(run, steps[middle] as Omission))) <= target;
    if (fits) high = middle;
    else low = middle + 1;
  }
  const omission = steps[low] ?? run.omission;
  const messages = promptOf(run, omission);
  const left = await budget.count(messages);
  if (left > usable || (always && omission === run.omission)) {
    throw new BatonError(
      "context-too-large",
      `The agent's instructions, goal, material and last turns have ${left} tokens, and a prompt may have ${usable}. Give it less material or smaller results, or raise contextWindowLimit.`,
    );
  }
  return { messages, omission, compacted: { tokensBefore: size, tokensAfter: left } };
}

const promptOf = ({ brief, turns }: Told, omission: Omission): readonly ModelMessage[] =>
  agentPrompt(brief, turns, omission);

/** Ever more left out. */
function stepsFrom({ turns, omission }: Told): readonly Omission[] {
  const most = Math.max(omission.results, turns.length - toldTurns);
  const steps: Omission[] = [];
  for (let results = omission.results + 1; results <= most; results++) steps.push({ ...omission, results });
  for (let whole = omission.turns + 1; whole <= most; whole++) steps.push({ results: most, turns: whole });
  return steps;
}
