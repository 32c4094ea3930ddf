import {
  bucketOf,
  buckets,
  edgeVerdicts,
  legalTaskMoves,
  stepKinds,
  type StepState,
  stepStates,
  taskIntents,
  taskState,
  type TaskCounters,
  type TaskIntent,
  type TaskState,
  taskStates,
} from "@baton/core/lifecycle";
import { toolEffects } from "@baton/core/ports";
import { createTestDatabase, type TestDatabase } from "@baton/testing/databases";
import fc from "fast-check";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";

let database: TestDatabase;
let admin: pg.Client;
beforeAll(async () => {
  database = await createTestDatabase(inject("postgresUrl"));
  admin = new pg.Client({ connectionString: database.adminUrl });
  await admin.connect();
});
afterAll(async () => {
  await admin?.end();
  await database?.drop();
});

const column = async <Value>(text: string, values: unknown[]): Promise<Value[]> =>
  (await admin.query<{ value: Value }>(text, values)).rows.map(({ value }) => value);

const taskStateNames = Object.keys(taskStates) as TaskState[];

describe("f in code", () => {
  it("equals f in SQL over generated counters", async () => {
    const counter = fc.constantFrom(0, 0, 0, 0, 0, 0, 0, 0, 1, 100_000);
    const counters = fc.record(Object.fromEntries([...buckets, "claimed"].map((name) => [name, counter])));
    const drawn = fc.sample(fc.tuple(fc.constantFrom(...taskIntents), counters), 5_000) as unknown as [
      TaskIntent,
      TaskCounters,
    ][];
    const inSql = await column<TaskState>(
      `select baton_v1.task_state(i, (c->>'pending')::int, (c->>'ready')::int, (c->>'dispatched')::int, (c->>'backoff')::int,
         (c->>'running')::int, (c->>'waiting')::int, (c->>'failed')::int, (c->>'held')::int, (c->>'planning')::int,
         (c->>'evaluating')::int, (c->>'claimed')::bigint) as value
       from jsonb_array_elements($1::jsonb) with ordinality as e(pair, n)
       cross join lateral (select pair->>0 as i, pair->1 as c) given order by n`,
      [JSON.stringify(drawn)],
    );
    expect(inSql).toEqual(drawn.map(([intent, c]) => taskState(intent, c)));
    // The draw met every state.
    expect(new Set(inSql).size).toBe(taskStateNames.length);
  });

  it("equals the bucket in SQL for every step there can be", async () => {
    const flags = [true, false];
    const steps = stepKinds.flatMap((kind) =>
      (Object.keys(stepStates) as StepState[]).flatMap((state) =>
        flags.flatMap((dispatched) =>
          flags.flatMap((backingOff) =>
            (["fail", "hold"] as const).map((onExhausted) => ({ kind, state, dispatched, backingOff, onExhausted })),
          ),
        ),
      ),
    );
    const inSql = await column<string>(
      `select baton_v1.bucket(s->>'kind', s->>'state', (s->>'dispatched')::boolean, (s->>'backingOff')::boolean, s->>'onExhausted') as value
       from jsonb_array_elements($1::jsonb) with ordinality as e(s, n) order by n`,
      [JSON.stringify(steps)],
    );
    expect(inSql).toEqual(steps.map(bucketOf));
  });

  it("has one counter column a bucket", async () => {
    const columns = await column<string>(
      `select attname as value from pg_attribute where attrelid = 'baton.task_execution'::regclass and attname like '%\\_count' and attnum > 0`,
      [],
    );
    const counters = columns.filter((name) => name !== "revision_count" && name !== "user_step_count");
    expect(counters.sort()).toEqual([...buckets, "claimed"].map((name) => `${name}_count`).sort());
  });
});

describe("the moves of a task", () => {
  it("are refused by SQL where the table has none, and by nothing else", async () => {
    const legal = new Set(legalTaskMoves().map(([from, to]) => `${from}>${to}`));
    for (const from of taskStateNames) {
      for (const to of taskStateNames) {
        const answer = await column("select baton_v1.legal_task_move($1, $2) as value", [from, to]).catch(
          (error: { code?: string }) => error.code,
        );
        const expected = from === to || legal.has(`${from}>${to}`) ? [to] : "BT001";
        expect([from, to, answer]).toEqual([from, to, expected]);
      }
    }
  });
});

describe("a CHECK of the schema", () => {
  const lists: readonly (readonly [constraint: string, list: readonly string[]])[] = [
    ["task_state_known", taskStateNames],
    ["task_intent_known", taskIntents],
    ["step_state_known", Object.keys(stepStates)],
    ["step_kind_known", stepKinds],
    ["edge_verdict_known", edgeVerdicts],
    ["step_policy_known", ["fail", "hold"]],
    ["task_kind_known", ["goal", "plan", "reply"]],
    ["effect_known", toolEffects],
  ];

  const listedBy = async (constraint: string): Promise<string[]> => {
    const [definition] = await column<string>(
      "select pg_get_constraintdef(oid) as value from pg_constraint where conname = $1",
      [constraint],
    );
    return [...(definition ?? "").matchAll(/'([^']+)'::text/g)].map((match) => String(match[1])).sort();
  };

  it.each(lists)("%s lists what the code lists", async (constraint, list) => {
    expect(await listedBy(constraint)).toEqual([...list].sort());
  });

  it("ties an end to exactly the states that are not live", async () => {
    const ended = (states: Readonly<Record<string, string>>) =>
      Object.keys(states).filter((state) => states[state] !== "live");
    expect(await listedBy("task_settled_has_an_end")).toEqual(ended(taskStates).sort());
    expect(await listedBy("step_end_is_settled")).toEqual(ended(stepStates).sort());
  });
});
