/** A person's word about a step that cannot go on by itself. */
import { readFile } from "node:fs/promises";
import { connect } from "../connection/connection.ts";
import { openConsole } from "../console/console.ts";
import { CommandFailure, exits } from "../failure.ts";
import { callersPath } from "../local/project.ts";
import { checkedId } from "./ids.ts";

export interface ResolveOptions {
  readonly data?: string;
  readonly json?: boolean;
  readonly output?: string;
  readonly outputFile?: string;
  readonly skip?: boolean;
  readonly reason: string;
}

const ways = ["output", "outputFile", "skip"] as const;

export async function resolveStep(id: string, options: ResolveOptions): Promise<number> {
  const stepId = checkedId(id, "step");
  const chosen = ways.filter((way) => options[way] !== undefined);
  if (chosen.length !== 1) {
    throw new CommandFailure(exits.usage, "Say how, in one way: --output JSON, --output-file FILE, or --skip.");
  }
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
