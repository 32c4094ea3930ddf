/** `baton eval`: how well a model decides, on labelled messages and goals. */
import { readFile, stat } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { type BatonClient, BatonClientError } from "@baton/client";
import type { EvaluatedDecision } from "@baton/contracts";
import { type EvaluationSet, maxEvaluationBytes, parseEvaluationSets } from "@baton/definitions";
import { connect } from "../connection/connection.ts";
import { type Console, openConsole } from "../console/console.ts";
import { judgeDecision, scoreDecisions } from "../evaluation/decisions.ts";
import { judgePlan, scorePlans } from "../evaluation/plans.ts";
import { costOf, type Evaluation, missLines, percent, reportLines, shareOf } from "../evaluation/report.ts";
import { CommandFailure, exits } from "../failure.ts";
import { callersPath } from "../local/project.ts";
import { onInterrupt } from "./interrupt.ts";
import type { ModelName } from "./run.ts";

interface EvalOptions {
  readonly file?: readonly string[];
  readonly model?: ModelName;
  readonly atLeast?: number;
  readonly misses?: boolean;
  readonly json?: boolean;
  readonly data?: string;
}

/** Below what `--at-least` asks for. */
const tooLow = 1;
/** Answers that are awaited at once. */
const atOnce = 4;
const ownFiles = ["messages.yaml", "goals.yaml"].map((name) =>
  fileURLToPath(new URL(`../../../../evaluation/${name}`, import.meta.url)),
);

export async function evaluate(options: EvalOptions): Promise<number> {
  const files = options.file === undefined ? ownFiles.map((path) => ({ file: path, path })) : options.file.map(named);
  const set = parseEvaluationSets(await Promise.all(files.map(read)));
  const { client } = await connect(options.data);
  const console = openConsole();
  using interrupt = onInterrupt();
  let evaluation: Evaluation;
  try {
    evaluation = await ask(client, set, options.model, console, interrupt.signal);
  } catch (error) {
    if (interrupt.signal.aborted) return exits.interrupted;
    throw error;
  } finally {
    console.status("");
  }
  if (options.json === true) for (const fact of facts(evaluation)) console.data(JSON.stringify(fact));
  else for (const line of reportLines(evaluation)) console.data(line);
  if (options.misses === true && options.json !== true)
    for (const line of missLines(evaluation, console.columns - 1)) console.data(line);
  return verdict(evaluation, options.atLeast, console);
}

const named = (file: string) => ({ file, path: callersPath(file) });

async function read({ file, path }: { readonly file: string; readonly path: string }) {
  const found = await stat(path).catch(() => undefined);
  if (found?.isFile() !== true)
    throw new CommandFailure(exits.noInput, `--file: ${path} is not a file. Name a YAML file of messages or goals.`);
  // What is too large is refused by its size: reading it first would cost as much as it says.
  if (found.size > maxEvaluationBytes)
    throw new CommandFailure(
      exits.data,
      `${file}:1: the file has ${found.size} bytes; the limit is ${maxEvaluationBytes}.`,
    );
  return { file, text: await readFile(path, "utf8") };
}

async function ask(
  client: BatonClient,
  { goals, messages }: EvaluationSet,
  model: ModelName | undefined,
  console: Console,
  signal: AbortSignal,
): Promise<Evaluation> {
  const [{ models }, { tools }] = await Promise.all([
    client.request("listModels", { signal }),
    client.request("listTools", { signal }),
  ]);
  const answers: Answer[] = [];
  let asked = 0;
  const answered = async <A extends Answer>(call: Promise<A>, id: string): Promise<A | Failed> => {
    const answer = await call.catch(failed);
    if ("calls" in answer) answers.push(answer);
    asked += 1;
    console.status(`${asked} of ${messages.length + goals.length}: ${id}`);
    return answer;
  };
  const named = model === undefined ? {} : { model };
  const known = new Set(tools.map(({ name }) => name));
  const judgedMessages = await each(messages, async (label) => {
    const body = { message: label.message, ...named };
    return judgeDecision(label, await answered(client.request("evaluateDecision", { body, signal }), label.id));
  });
  const judgedGoals = await each(goals, async (label) => {
    const absent = label.tools?.filter((tool) => !known.has(tool)) ?? [];
    if (absent.length > 0) return judgePlan(label, notOffered(absent), tools);
    const { goal, input, tools: offered } = label;
    const body = { goal, ...(input !== undefined && { input }), ...(offered && { tools: offered }), ...named };
    const answer = await answered(client.request("evaluatePlan", { body, signal }), label.id);
    return judgePlan(label, { rejected: [], ...answer }, tools);
  });
  const used = answers[0]?.model ?? model;
  return {
    model: used === undefined ? "no model answered" : `${used.provider}/${used.model}`,
    offline: models.some(
      ({ model: id, offline, provider }) => offline && id === used?.model && provider === used.provider,
    ),
    languages: { messages: languagesOf(messages), goals: languagesOf(goals) },
    messages: judgedMessages,
    goals: judgedGoals,
    cost: costOf(answers),
  };
}

type Answer = Pick<EvaluatedDecision, "calls" | "durationMs" | "model" | "error">;
type Failed = { readonly error: { readonly code: string; readonly message: string } };

/** What the api could not answer for one case counts as its error; what it refuses, it would refuse for every one. */
function failed(error: unknown): Failed {
  if (!(error instanceof BatonClientError) || error.status === undefined || error.status < 500) throw error;
  return { error: { code: error.code, message: error.message } };
}

const notOffered = (tools: readonly string[]) => ({
  rejected: [],
  error: { code: "unknown-tool", message: `This installation has no ${tools.join(", ")} to offer.` },
});

const languagesOf = (labels: readonly { readonly language?: string | undefined }[]): number =>
  new Set(labels.map(({ language }) => language)).size;

/** In their order, some at a time. */
async function each<T, R>(items: readonly T[], perform: (item: T) => Promise<R>): Promise<readonly R[]> {
  const results: R[] = [];
  const queue = items.entries();
  const work = async (): Promise<void> => {
    for (const [index, item] of queue) results[index] = await perform(item);
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return results;
}

function* facts(evaluation: Evaluation): Generator<object> {
  const { cost, goals, messages, model, offline } = evaluation;
  for (const message of messages) yield { type: "message", ...message };
  for (const goal of goals) yield { type: "goal", ...goal };
  const heldOut = <T extends { readonly heldOut: boolean }>(of: readonly T[]) => of.filter((one) => one.heldOut);
  yield {
    type: "score",
    model,
    offline,
    messages: { ...scoreDecisions(messages), heldOut: scoreDecisions(heldOut(messages)) },
    goals: { ...scorePlans(goals), heldOut: scorePlans(heldOut(goals)) },
    cost,
  };
}

function verdict({ goals, messages }: Evaluation, atLeast: number | undefined, console: Console): number {
  if (atLeast === undefined) return 0;
  const shares = [
    ["messages", messages.length, shareOf(scoreDecisions(messages))],
    ["goals", goals.length, shareOf(scorePlans(goals))],
  ] as const;
  const low = shares.filter(([, count, share]) => count > 0 && share < atLeast);
  for (const [what, , share] of low)
    console.note(`Of the ${what}, ${percent(share)} are right; --at-least asks for ${percent(atLeast)}.`);
  return low.length === 0 ? 0 : tooLow;
}
