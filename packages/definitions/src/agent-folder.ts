/**
 * A folder of agents, `agents/*.md`.
 *
 * Purpose: an agent by its name, read when it is first asked for, and again when its file has changed. Boundary: which
 * tools and models there are is known where the agent runs.
 *
 * 1. Files beginning with `_` or `.`, and README.md, are no agents.
 * 2. Two files that name the same agent are a problem of both.
 */
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { BatonError } from "@baton/core";
import type { AgentDefinition } from "@baton/core/agent";
import { parseAgent } from "./agent-file.ts";
import { refused } from "./front-matter.ts";

export interface AgentFile {
  readonly file: string;
  readonly definition: AgentDefinition;
  /** Of the file's text, as hex. */
  readonly sha256: string;
}

export interface AgentFolder {
  /** Undefined when no file names it. Throws `invalid-configuration` when its file, or two, cannot be used. */
  find(name: string): Promise<AgentFile | undefined>;
  /** All that can be used, by name, and what is wrong with the others, one line each. */
  list(): Promise<{ readonly agents: readonly AgentFile[]; readonly problems: readonly string[] }>;
}

/** Larger than any agent: 100,000 characters of instructions. */
const maxBytes = 1_000_000;

export function openAgentFolder(path: string): AgentFolder {
  const read = new Map<string, AgentFile>();

  async function agentOf(file: string): Promise<AgentFile> {
    const content = await readFile(join(path, file));
    if (content.length > maxBytes)
      throw refused([`${file}:1: the file has ${content.length} bytes; the limit is ${maxBytes}.`]);
    const sha256 = createHash("sha256").update(content).digest("hex");
    const known = read.get(file);
    if (known?.sha256 === sha256) return known;
    const agent = { file, definition: parseAgent(file, content.toString("utf8")), sha256 };
    read.set(file, agent);
    return agent;
  }

  async function list(): ReturnType<AgentFolder["list"]> {
    const agents: AgentFile[] = [];
    const problems: string[] = [];
    for (const file of await agentFiles(path)) {
      try {
        agents.push(await agentOf(file));
      } catch (error) {
        if (!(error instanceof BatonError)) throw error;
        problems.push(...error.message.split("\n"));
      }
    }
    const byName = Map.groupBy(agents, ({ definition }) => definition.name);
    const unique = agents.filter(({ definition }) => byName.get(definition.name)?.length === 1);
    for (const [name, [first, ...others]] of byName) {
      for (const { file } of others) problems.push(`${file}:1: name: ${first?.file} names an agent "${name}" too.`);
    }
    return { agents: unique.toSorted((a, b) => (a.definition.name < b.definition.name ? -1 : 1)), problems };
  }

  return {
    list,
    async find(name) {
      const { agents, problems } = await list();
      const found = agents.find(({ definition }) => definition.name === name);
      if (found !== undefined) return found;
      const own = problems.filter((problem) => problem.startsWith(`${name}.md:`) || problem.includes(`"${name}"`));
      if (own.length > 0) throw refused(own);
      return undefined;
    },
  };
}

async function agentFiles(path: string): Promise<readonly string[]> {
  try {
    const names = await readdir(path);
    return names.filter((name) => name.endsWith(".md") && !/^[._]|^README\.md$/i.test(name)).toSorted();
  } catch (cause) {
    throw new BatonError(
      "invalid-configuration",
      `The agents folder "${path}" cannot be read: create it or correct the setting.`,
      {
        cause,
      },
    );
  }
}
