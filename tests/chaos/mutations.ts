/**
 * Baton broken on purpose: each mutation takes one safeguard out of one verb, and names the case that has to notice.
 *
 * The suite tests itself with them: a safeguard whose absence nothing notices is not tested.
 */
import type { TestDatabase } from "@baton/testing/databases";
import type { Scale } from "./harness/case.ts";

interface Edit {
  /** A function of the schema baton_v1. */
  readonly verb: string;
  /** Text of the function that stands there exactly once. */
  readonly from: string;
  readonly to: string;
}

export interface Mutation {
  readonly id: string;
  readonly breaks: string;
  readonly edits: readonly Edit[];
  readonly caughtBy: string;
  /** Where a tier T run would notice only most of the time. */
  readonly scale?: Scale;
  /** One of the findings. */
  readonly finding: RegExp;
}

const lockOrder = "order by t.tenant_id, t.task_id\n  for no key update";

export const mutations: readonly Mutation[] = [
  {
    id: "fence",
    breaks: "a settle no longer asks whether its attempt is the current one",
    edits: [{ verb: "settle_completions", from: "s.attempt_no = o.a and ", to: "" }],
    caughtBy: "zombie",
    finding: /^I3 /,
  },
  {
    id: "lock-order",
    breaks: "a settle locks its tasks in an order that differs from session to session",
    edits: [
      {
        verb: "settle",
        from: lockOrder,
        to: lockOrder.replace("t.tenant_id, t.task_id", "hashtextextended(t.task_id::text, hashtext(p_session::text))"),
      },
      // As long as a lock takes under load, which a tier T run does not have.
      {
        verb: "settle",
        from: "perform 1 from baton.task_execution t",
        to: "perform pg_sleep(0.1) from baton.task_execution t",
      },
    ],
    caughtBy: "crowd",
    scale: { tasks: 12, width: 36 },
    finding: /^I12 /,
  },
  {
    id: "flush-id",
    breaks: "a repeated settle is not recognised",
    edits: [{ verb: "settle", from: "when s.settle_flush_id = p_flush then 'already-settled'", to: "" }],
    caughtBy: "commit-reply-lost",
    // The continuations of the settle whose answer was lost belong to a worker that does not know of them.
    finding: /^I9|attempted again/,
  },
  {
    id: "reserved",
    breaks: "a reservation no longer leaves what other calls have reserved",
    edits: [{ verb: "budget_room", from: "r.cap - r.settled - r.reserved", to: "r.cap - r.settled" }],
    caughtBy: "runaway",
    finding: /The provider charged|tokens of|of 20 children completed/,
  },
  {
    id: "probe",
    breaks: "every call may look whether a provider that is away is back",
    edits: [{ verb: "admit_calls", from: "g.probe_at := v_now + interval '5 seconds'", to: "g.probe_at := v_now" }],
    caughtBy: "provider",
    finding: /probes|probes came within|The breaker did not open/,
  },
];

/** What is broken may stand still for good: nobody has to wait for it as long as for what is sound. */
export const brokenStallMs = 15_000;

/** Replaces the verbs in one database. Throws when a text to replace does not stand there exactly once. */
export async function sabotage(database: TestDatabase, { id, edits }: Mutation): Promise<void> {
  for (const { verb, from, to } of edits) {
    const [row] = await database.read<{ definition: string }>(
      `select pg_get_functiondef(p.oid) as definition from pg_proc p
       where p.pronamespace = 'baton_v1'::regnamespace and p.proname = $1`,
      [verb],
    );
    const parts = row?.definition.split(from) ?? [];
    if (parts.length !== 2) {
      const found = row === undefined ? "it does not exist" : `it stands there ${parts.length - 1} times`;
      throw new Error(`Mutation ${id}: baton_v1.${verb} should have "${from}" once, and ${found}. Adapt mutations.ts.`);
    }
    await database.execute(parts.join(to));
  }
}
