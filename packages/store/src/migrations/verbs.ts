/**
 * The verbs: functions of SQL that the store calls.
 *
 * Purpose: a database gets the functions of this version. Boundary: which tables there are is the migrations'.
 *
 * 1. They live in a schema named by version, so that old and new workers run side by side.
 * 2. One transaction: a statement of a worker meets the old ones or the new ones, never none.
 * 3. In place wherever PostgreSQL can replace a function. Dropped and made anew, a name may be looked up in the schema that
 *    is just gone, and workers under load heard "does not exist"; that remains where a type or the shape of a function
 *    changed, and they ask again.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { legalTaskMoves } from "@baton/core/lifecycle";
import type pg from "pg";

/** Bumped when a function's signature or meaning changes in a way an older worker could not bear. */
const verbsSchema = "baton_v1";

/** In the order of their dependencies. */
const verbFiles = [
  "../lifecycle/lifecycle.sql",
  "../steps/add-steps.sql",
  "../steps/follow-edges.sql",
  "../steps/claim.sql",
  "../steps/settle-completions.sql",
  "../steps/settle.sql",
  "../steps/dispatch.sql",
  "../sessions/crashes.sql",
  "../sessions/sessions.sql",
  "../sessions/release-orphans.sql",
  "../tasks/create-task.sql",
  "../tasks/create-task-in-transaction.sql",
  "../tasks/intents.sql",
  "../checkpoints/save-checkpoint.sql",
  "../effects/effects.sql",
  "../live/append-live.sql",
  "../limits/acquire.sql",
  "../limits/gate.sql",
  "../chat/append-replies.sql",
  "../chat/turns.sql",
  "../dead-letters/dead-letters.sql",
  "../questions/questions.sql",
  "../agents/agents.sql",
  "../children/children.sql",
  "../notes/notes.sql",
  "../mcp/mcp.sql",
  "../budgets/budgets.sql",
  "../budgets/caps.sql",
] as const;

/** All functions of this version as one script. */
function verbsScript(): string {
  const files = verbFiles.map((file) => readFileSync(new URL(file, import.meta.url), "utf8"));
  return [legalMoveFunction(), ...files].join("\n");
}

/** From the lifecycle table in core, so that SQL and code cannot differ. */
function legalMoveFunction(): string {
  const pairs = legalTaskMoves().map(([from, to]) => `('${from}', '${to}')`);
  return `create function ${verbsSchema}.legal_task_move(p_from text, p_to text)
returns text language plpgsql immutable parallel safe
as $$
begin
  if p_from = p_to or (p_from, p_to) in (
    ${pairs.join(",\n    ")}) then
    return p_to;
  end if;
  raise exception 'a task may not move from % to %', p_from, p_to using errcode = 'BT001';
end $$;
`;
}

const statementOfType = /^create type [\s\S]*?;$/gm;

const digest = (text: string): string => createHash("sha256").update(text).digest("hex");

/** False when they are there already. */
export async function installVerbs(client: pg.Client): Promise<boolean> {
  const script = verbsScript();
  const types = `types ${digest((script.match(statementOfType) ?? []).join("\n"))}`;
  const mark = `verbs ${digest(script)}, ${types}`;
  const found = await client.query<{ comment: string | null }>(
    "select obj_description(to_regnamespace($1)::oid, 'pg_namespace') as comment",
    [verbsSchema],
  );
  const comment = found.rows[0]?.comment;
  if (comment === mark) return false;
  if (comment?.endsWith(types) === true && (await replaceVerbs(client, script, mark))) return true;
  await client.query("begin");
  await client.query(`drop schema if exists ${verbsSchema} cascade; create schema ${verbsSchema}`);
  await finish(client, script, mark);
  return true;
}

/** False, and nothing is changed, where a function returns something else than it did, or names its arguments otherwise. */
async function replaceVerbs(client: pg.Client, script: string, mark: string): Promise<boolean> {
  await client.query("begin");
  const before = await versionsOfVerbs(client);
  const inPlace = script.replace(statementOfType, "").replace(/^create function/gm, "create or replace function");
  try {
    await finish(client, inPlace, mark, before);
    return true;
  } catch (error) {
    await client.query("rollback");
    // invalid_function_definition
    if ((error as { code?: string }).code === "42P13") return false;
    throw error;
  }
}

/** The rows of pg_proc: one that stays the same over an installation was not part of it. */
async function versionsOfVerbs(client: pg.Client): Promise<ReadonlyMap<string, string>> {
  const { rows } = await client.query<{ verb: string; version: string }>(
    "select oid::regprocedure::text as verb, xmin::text as version from pg_proc where pronamespace = to_regnamespace($1)",
    [verbsSchema],
  );
  return new Map(rows.map(({ verb, version }) => [verb, version]));
}

async function finish(
  client: pg.Client,
  script: string,
  mark: string,
  before: ReadonlyMap<string, string> = new Map(),
): Promise<void> {
  await client.query(`grant usage on schema ${verbsSchema} to baton_engine, baton_api`);
  await client.query(script);
  for (const [verb, version] of await versionsOfVerbs(client)) {
    if (before.get(verb) === version) await client.query(`drop function ${verb}`);
  }
  await client.query(`comment on schema ${verbsSchema} is '${mark}'; commit`);
}
