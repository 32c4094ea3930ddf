/**
 * An agent of fixed rules: it lists, reads, gives work away, writes and quotes, with the tools that it has.
 *
 * Purpose: an agent's loop can be seen at work without any key. Boundary: reads the instruction and what its calls came to;
 * it understands neither, and says so in its first words.
 *
 * 1. A tool is known by a word of its name (`list`, `read`, `write`, `agent.…`) and by what it requires: one whose arguments the
 *    rules cannot fill is never called.
 * 2. Every sentence that it quotes stands word for word in what it was given or has read.
 * 3. Without a tool that it knows, and without a text, it is refused (`offline-cannot-answer`), never a guess.
 */
import { BatonError } from "@baton/core";
import type { ModelMessage, ModelRequest, ModelTool, ModelToolCall } from "@baton/core/ports";
import { summarize } from "./findings/summary.ts";
import { offlineLabel } from "./label.ts";
import type { Source } from "./material.ts";
import { labelled, sections } from "./rendering.ts";

const mostFiles = 12;
const readsPerTurn = 4;
/** Pieces of work that it gives away at once. */
const mostPieces = 3;
const readableFile = /[\w./-]*[\w-]\.(?:md|markdown|txt|rst|adoc)\b/g;

type Turn = { readonly text: string; readonly toolCalls?: readonly ModelToolCall[] };
interface Done {
  readonly call: ModelToolCall;
  readonly content: string;
  readonly isError: boolean;
}

export function agentTurn({ brief, messages, tools = [] }: Pick<ModelRequest, "brief" | "messages" | "tools">): Turn {
  const instruction = brief.kind === "agent" ? brief.instruction : "";
  const done = doneIn(messages);
  const calls = nextCalls(instruction, tools, done);
  const said = done.length;
  if (calls.length === 0) return { text: answer(instruction, tools, done) };
  const toolCalls = calls.map(({ tool, input }, at) => ({ id: `offline-${said + at + 1}`, tool, input }));
  return { text: offlineLabel, toolCalls };
}

function doneIn(messages: readonly ModelMessage[]): readonly Done[] {
  const results = new Map<string, { readonly content: string; readonly isError: boolean }>();
  for (const message of messages) if (message.role === "tool") results.set(message.callId, message);
  return messages.flatMap((message) =>
    message.role === "assistant"
      ? (message.toolCalls ?? []).flatMap((call) => {
          const result = results.get(call.id);
          return result === undefined ? [] : [{ call, content: result.content, isError: result.isError }];
        })
      : [],
  );
}

type Call = Omit<ModelToolCall, "id">;

/** The first of the rules that has something to do. */
function nextCalls(instruction: string, tools: readonly ModelTool[], done: readonly Done[]): readonly Call[] {
  const folder = lineOf(instruction, "Folder");
  const agents = tools.filter(({ name }) => name.startsWith("agent."));
  const named = [...new Set(instruction.replace(/^(?:Folder|Report): .*$/gm, "").match(readableFile))];
  const listing = tools.find((tool) => fits(tool, /list|glob/, ["path", "pattern"]) && !tool.name.includes("allowed"));
  const reading = tools.find((tool) => fits(tool, /read/, ["path"]));
  // Whoever writes has been given what it writes, names of files included.
  const writing = tools.find((tool) => fits(tool, /write/, ["path", "name", "content"]));
  const of = (tool: ModelTool | undefined) => done.filter(({ call }) => call.tool === tool?.name);

  if (listing !== undefined && named.length === 0 && of(listing).length === 0)
    return [{ tool: listing.name, input: filled(listing, { path: folder ?? ".", pattern: "**/*" }) }];
  const files = (named.length > 0 ? named : filesIn(of(listing))).slice(0, mostFiles);

  const [worker, last] = [agents[0], agents.length > 1 ? agents.at(-1) : undefined];
  if (worker !== undefined && of(worker).length === 0)
    return piecesOf(files).map((piece) => ({ tool: worker.name, input: { prompt: workOn(folder, piece) } }));
  if (last !== undefined && of(last).length === 0) {
    const found = of(worker).map(({ content }) => content);
    return [{ tool: last.name, input: { prompt: [headings(instruction), ...found].join("\n\n") } }];
  }

  const read = new Set(of(reading).map(({ call }) => pathOf(call)));
  const left = files.map((file) => inside(folder, file)).filter((path) => !read.has(path));
  if (reading !== undefined && agents.length === 0 && left.length > 0)
    return left.slice(0, readsPerTurn).map((path) => ({ tool: reading.name, input: filled(reading, { path }) }));

  if (writing !== undefined && of(writing).length === 0) {
    const content = reportOf(instruction, sourcesOf(reading, done));
    const path = lineOf(instruction, "Report") ?? inside(folder, "report.md");
    const input = filled(writing, { path, name: "report.md", content });
    return [{ tool: writing.name, input }];
  }
  return [];
}

/** Known by its name, and nothing is required of it that the rules cannot fill. */
function fits({ name, inputSchema }: ModelTool, word: RegExp, fillable: readonly string[]): boolean {
  const last = name.slice(name.lastIndexOf(".") + 1);
  const required = Array.isArray(inputSchema["required"]) ? (inputSchema["required"] as readonly unknown[]) : [];
  return word.test(last) && required.every((field) => fillable.includes(String(field)));
}

/** Those of the values that the tool takes. */
function filled({ inputSchema }: ModelTool, values: Readonly<Record<string, string>>): Record<string, string> {
  const properties = (inputSchema["properties"] ?? {}) as Readonly<Record<string, unknown>>;
  return Object.fromEntries(Object.entries(values).filter(([field]) => Object.hasOwn(properties, field)));
}

const filesIn = (listings: readonly Done[]): readonly string[] => [
  ...new Set(listings.flatMap(({ content }) => content.match(readableFile) ?? [])),
];

function piecesOf(files: readonly string[]): readonly (readonly string[])[] {
  if (files.length === 0) return [[]];
  const count = Math.min(mostPieces, files.length);
  return Array.from({ length: count }, (_one, at) => files.filter((_file, index) => index % count === at));
}

/** What stands in a line of its own after `<name>:`. */
const lineOf = (instruction: string, name: "Folder" | "Report"): string | undefined =>
  new RegExp(`^${name}: *(\\S.*?) *$`, "m").exec(instruction)?.[1];
const headings = (instruction: string): string => (instruction.match(/^(?:Folder|Report): .*$/gm) ?? []).join("\n");
const workOn = (folder: string | undefined, files: readonly string[]): string =>
  `${folder === undefined ? "" : `Folder: ${folder}\n`}Read and summarise: ${files.join(", ")}`;
const inside = (folder: string | undefined, file: string): string =>
  folder === undefined || file.startsWith("/") ? file : `${folder}/${file}`;
const pathOf = ({ input }: ModelToolCall): string => String((input as { readonly path?: unknown } | null)?.path);

function sourcesOf(reading: ModelTool | undefined, done: readonly Done[]): readonly Source[] {
  return done
    .filter(({ call, isError }) => call.tool === reading?.name && !isError)
    .map(({ call, content }) => ({ name: pathOf(call), text: content, origin: "read" }));
}

/** What it has read; else what it was given, below the line that names the folder. */
function reportOf(instruction: string, sources: readonly Source[]): string {
  if (sources.length > 0) {
    const findings = sources.flatMap((source) => summarize(source, { sentenceCount: 3, charCount: 600 }));
    return labelled(sections(findings), "Every sentence stands word for word in the file above it.");
  }
  const given = instruction.replace(/^(?:Folder|Report): .*$/gm, "").trim();
  return given.startsWith(offlineLabel) ? given : labelled(given);
}

function answer(instruction: string, tools: readonly ModelTool[], done: readonly Done[]): string {
  if (done.length === 0) {
    throw new BatonError(
      "offline-cannot-answer",
      "The offline model is no language model: as an agent it can only list, read, write and give work away, and this one has no tool for any of it. Set ANTHROPIC_API_KEY, or name another model.",
    );
  }
  const reading = tools.find((tool) => fits(tool, /read/, ["path"]));
  const sources = sourcesOf(reading, done);
  if (sources.length > 0) return reportOf(instruction, sources);
  return labelled(done.at(-1)?.content.replaceAll(`${offlineLabel} `, "").replaceAll(offlineLabel, "").trim() ?? "");
}
