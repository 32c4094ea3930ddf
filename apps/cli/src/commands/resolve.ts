/** A person's word about a step that cannot go on by itself. */
import { readFile } from "node:fs/promises";
import type { DeadLetterDetails } from "@baton/contracts";
import { connect } from "../connection/connection.ts";
import { openConsole } from "../console/console.ts";
import { oneLine } from "../console/text.ts";
import { CommandFailure, exits } from "../failure.ts";
import { callersPath } from "../local/project.ts";
import { checkedId } from "./ids.ts";

export interface ResolveOptions {
  readonly data?: string;
  readonly json?: boolean;
  readonly output?: string;
  readonly outputFile?: string;
  readonly skip?: boolean;
  /** The result of the call in doubt, as JSON. */
  readonly happened?: string;
  readonly didNotHappen?: boolean;
  readonly call?: number;
  readonly reason: string;
}

const ofStep = ["output", "outputFile", "skip"] as const;
const ofCall = ["happened", "didNotHappen"] as const;

/** Of the step as a whole, or of its call to the outside that is in doubt. */
export async function resolveStep(id: string, options: ResolveOptions): Promise<number> {
  const stepId = checkedId(id, "step");
  const chosen = [...ofStep, ...ofCall].filter((way) => options[way] !== undefined);
  if (chosen.length !== 1) {
    throw new CommandFailure(
      exits.usage,
      "Say how, in one way: --output JSON, --output-file FILE or --skip for the step; --happened JSON or --did-not-happen for its call in doubt.",
    );
  }
  const isOfCall = ofCall.some((way) => options[way] !== undefined);
  if (options.call !== undefined && !isOfCall) {
    throw new CommandFailure(exits.usage, "--call goes with --happened or --did-not-happen.");
  }
  return isOfCall ? await resolveCall(stepId, options) : await settleStep(stepId, options);
}

async function settleStep(stepId: string, options: ResolveOptions): Promise<number> {
  const word = options.skip === true ? { skip: true as const } : { output: await outputOf(options) };
  const { client } = await connect(options.data);
  const console = openConsole();
  const answer = await client.resolveDeadLetter(stepId, { ...word, reason: options.reason });
  if (options.json === true) console.data(JSON.stringify(answer));
  else {
    const already = answer.changed ? "" : "  (it already was)";
    console.data(`${answer.id}  ${answer.state}${already}\n${answer.taskId}  ${answer.taskState}  (its task)`);
  }
  return 0;
}

async function resolveCall(stepId: string, { call, data, happened, json, reason }: ResolveOptions): Promise<number> {
  const result = happened === undefined ? undefined : parsed(happened, "--happened");
  const { client } = await connect(data);
  const console = openConsole();
  const { task, effects } = await client.getDeadLetter(stepId);
  const { attemptNo, callNo, tool } = chosenCall(effects, call);
  const why = { attemptNo, reason };
  const answer = await client.resolveEffect(
    { taskId: task.id, stepId, callNo },
    happened === undefined ? { ...why, outcome: "not-done" } : { ...why, outcome: "succeeded", result },
  );
  if (json === true) console.data(JSON.stringify(answer));
  else {
    const word = happened === undefined ? "did not take place: it is made again" : "took place: its step goes on";
    console.data(`${stepId}  ${oneLine(tool)} ${word}\n${task.id}  ${answer.taskState}  (its task)`);
  }
  return 0;
}

/** The one in doubt; with several, the one that was named. */
function chosenCall(effects: DeadLetterDetails["effects"], callNo: number | undefined) {
  const inDoubt = effects.filter(({ state }) => state === "intent" || state === "unknown");
  const [first, ...others] = callNo === undefined ? inDoubt : inDoubt.filter((each) => each.callNo === callNo);
  if (first === undefined) {
    const which = callNo === undefined ? "No call of this step is" : `Call ${callNo} of this step is not`;
    throw new CommandFailure(exits.usage, `${which} in doubt.`);
  }
  if (others.length > 0) {
    const numbers = inDoubt.map((each) => `${each.callNo} (${oneLine(each.tool)})`).join(", ");
    throw new CommandFailure(exits.usage, `Several calls are in doubt: ${numbers}. Name one with --call.`);
  }
  return first;
}

async function outputOf({ output, outputFile }: ResolveOptions): Promise<unknown> {
  if (outputFile === undefined) return parsed(output ?? "", "--output");
  try {
    return parsed(await readFile(callersPath(outputFile), "utf8"), outputFile);
  } catch (cause) {
    if (cause instanceof CommandFailure) throw cause;
    throw new CommandFailure(exits.noInput, `${outputFile} cannot be read: ${(cause as Error).message}`, { cause });
  }
}

function parsed(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const hint = `A text needs its quotes: '"done"'.`;
    throw new CommandFailure(exits.usage, `${where} is not JSON: ${(cause as Error).message}. ${hint}`, { cause });
  }
}
