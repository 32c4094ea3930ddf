/**
 * Baton broken on purpose: each mutation takes one safeguard out of one verb, and names the case that has to notice.
 *
 * The suite tests itself with them: a safeguard whose absence nothing notices is not tested.
 */
import type { TestDatabase } from "@baton/testing/databases";

export interface Mutation {
  readonly id: string;
  readonly breaks: string;
  /** A function of the schema baton_v1. */
  readonly verb: string;
  /** Text of the function that stands there exactly once. */
  readonly from: string;
  readonly to: string;
  readonly caughtBy: string;
  /** One of the findings. */
  readonly finding: RegExp;
}

export const mutations: readonly Mutation[] = [
  {
    id: "fence",
    breaks: "a settle no longer asks whether its attempt is the current one",
    verb: "settle",
    // The session is the second half of the fence: it differs whenever another process holds the attempt.
    from: "s.attempt_no = o.a and s.session_id = p_session",
    to: "true",
    caughtBy: "zombie",
    finding: /^I3 /,
  },
  {
    id: "lock-order",
    breaks: "claims lock tasks in descending order, settles in ascending order",
    verb: "claim",
    from: "order by t.tenant_id, t.task_id\n  for no key update",
    to: "order by t.tenant_id desc, t.task_id desc\n  for no key update",
    caughtBy: "kill",
    finding: /^I12 /,
  },
  {
    id: "flush-id",
    breaks: "a repeated settle is not recognised",
    verb: "settle",
    from: "when s.settle_flush_id = p_flush then 'already-settled'",
    to: "when false then 'already-settled'",
    caughtBy: "commit-reply-lost",
    finding: /./,
  },
];

/** Replaces the verb in one database. Throws when the text to break does not stand there exactly once. */
export async function sabotage(database: TestDatabase, { id, verb, from, to }: Mutation): Promise<void> {
  const [row] = await database.read<{ definition: string }>(
    `select pg_get_functiondef(p.oid) as definition from pg_proc p
     where p.pronamespace = 'baton_v1'::regnamespace and p.proname = $1`,
    [verb],
  );
  const parts = row?.definition.split(from) ?? [];
  if (parts.length !== 2) {
    const found = parts.length === 0 ? "the function is not there" : `it stands there ${parts.length - 1} times`;
    throw new Error(
      `Mutation ${id}: baton_v1.${verb} should contain "${from}" once, and ${found}. Adapt mutations.ts.`,
    );
  }
  await database.execute(parts.join(to));
}
