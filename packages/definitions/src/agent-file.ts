/** An agent as a file: its fields in the front matter, its instructions as the body. */
import { basename } from "node:path";
import { agentDefinition } from "@baton/core/agent";
import type { AgentDefinition } from "@baton/core/agent";
import type { z } from "zod";
import { type FrontMatter, readFrontMatter, refused } from "./front-matter.ts";
import { problemsIn } from "./yaml-data.ts";

/**
 * The name is the file's unless the front matter says another.
 * @throws BatonError `invalid-configuration` naming file and line
 */
export function parseAgent(file: string, text: string): AgentDefinition {
  const matter = readFrontMatter(file, text);
  const { data, body } = matter;
  if ("instructions" in data) {
    const line = matter.lineOfKey([], "instructions");
    throw refused([`${file}:${line}: instructions: they are what stands below the second "---".`]);
  }
  const named = { name: basename(file).replace(/\.md$/, ""), ...data, instructions: body };
  const parsed = agentDefinition.safeParse(named);
  if (parsed.success) return parsed.data;
  throw refused(parsed.error.issues.flatMap((issue) => problemsOf(file, text, matter, issue)));
}

function problemsOf(file: string, text: string, matter: FrontMatter, issue: z.core.$ZodIssue): readonly string[] {
  const { path } = issue;
  if (path[0] !== "instructions") return problemsIn(file, matter, issue);
  const line = text.slice(0, text.length - matter.body.length).split("\n").length;
  return [`${file}:${line}: ${path.join(".")}: ${issue.message}`];
}
