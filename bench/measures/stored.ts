/**
 * `stored-1m`: what a step costs when the same tenant has 1,000,000 finished steps, with their traces, edges, effects
 * and checkpoints, against an empty database.
 *
 * 1. What is stored are copies of a task that was really run: every column and every row as Baton writes it, under
 *    ids and times of the past. Autovacuum is on, and nothing is analysed by hand.
 * 2. A system on the empty and one on the full database are both up; rounds alternate, and the ratio is that of the
 *    medians of the time per step.
 */
import { setTimeout as delay } from "node:timers/promises";
import { createTestDatabase } from "@baton/testing/databases";
import type { TestDatabase } from "@baton/testing/databases";
import { runBodies, warmUp } from "./chain.ts";
import type { ChainRun } from "./chain.ts";
import { median, total, together, withSystem } from "./measure.ts";
import type { Bench, Measure, Measured } from "./measure.ts";
import { chainBody } from "./plans.ts";
import type { Backend, System } from "../system/system.ts";

interface Size {
  readonly stored: number;
  readonly steps: number;
  readonly tasks: number;
  readonly rounds: number;
  /** For autovacuum to see what was stored. */
  readonly settleMs: number;
}

const full: Size = { stored: 100_000, steps: 10, tasks: 400, rounds: 3, settleMs: 60_000 };
const tiny: Size = { stored: 20, steps: 3, tasks: 4, rounds: 1, settleMs: 0 };

export const stored: Measure = {
  name: "stored-1m",
  async run(bench, backends) {
    const size = bench.smoke ? tiny : full;
    const empty = await createTestDatabase(bench.servers.postgres.url);
    const filled = await createTestDatabase(bench.servers.postgres.url);
    try {
      await fill(bench, filled, backends[0] ?? "postgres", size);
      const measured: Measured[] = [];
      for (const backend of backends) measured.push(await compare(bench, backend, empty, filled, size));
      return together(measured);
    } finally {
      await empty.drop();
      await filled.drop();
    }
  },
};

async function compare(
  bench: Bench,
  backend: Backend,
  empty: TestDatabase,
  filled: TestDatabase,
  { steps, tasks, rounds }: Size,
): Promise<Measured> {
  const load = { bodies: [chainBody(steps)], tasks, steps: tasks * steps };
  const runs = { empty: [] as Run[], filled: [] as Run[] };
  await withSystem(bench, { backend, workers: 1, database: empty }, (onEmpty) =>
    withSystem(bench, { backend, workers: 1, database: filled }, async (onFilled) => {
      const round = async (system: System, own: Run[]) => void own.push(await runBodies(bench, system, load));
      for (const system of [onEmpty, onFilled]) await warmUp(bench, system);
      for (let no = 0; no < rounds; no++) {
        await round(onEmpty, runs.empty);
        await round(onFilled, runs.filled);
      }
    }),
  );
  const of = (own: readonly Run[], what: (run: Run) => number) => median(own.map(what));
  const time = of(runs.filled, timePerStep) / of(runs.empty, timePerStep);
  const processor = of(runs.filled, spent) / of(runs.empty, spent);
  const prefix = backend === "redis" ? "stored-1m" : `stored-1m/${backend}`;
  return {
    values: {},
    ratios: { [`${prefix}/empty`]: time, [`${prefix}/empty/processor`]: processor },
    lines: [
      {
        measure: "stored-1m/empty",
        backend,
        figure: `${time.toFixed(2)} ×`,
        usage: (runs.filled.at(-1) as Run).usage,
        note: `time per step; processor time ${processor.toFixed(2)} ×`,
      },
    ],
  };
}

type Run = Omit<ChainRun, "inFlight">;
const timePerStep = ({ stepsPerSecond }: Run): number => 1 / stepsPerSecond;
const spent = ({ usage }: Run): number => total(usage);

/** In the order in which their rows need each other; the columns that name a row of the task itself. */
const tables = [
  ["task_execution", []],
  ["task_execution_step", ["step_id"]],
  ["task_execution_step_edge", ["from_step_id", "to_step_id"]],
  ["task_execution_trace", ["step_id"]],
  ["effect", ["step_id"]],
  ["task_checkpoint", ["checkpoint_id"]],
] as const;

/** Steps between two copies' times. */
const msApart = 10;
const hourMs = 3_600_000;

async function fill(bench: Bench, database: TestDatabase, backend: Backend, size: Size): Promise<void> {
  const begin = performance.now();
  await withSystem(bench, { backend, workers: 1, database }, (system) =>
    bench.driver.oneByOne(system, chainBody(size.steps), 1),
  );
  // A version 7 id of the past: the order of the ids is that of the times, as with real ones.
  await database.execute(
    `create function public.copied(id uuid, no int) returns uuid language sql immutable as $$
       select (lpad(to_hex(${Date.now() - hourMs - size.stored * msApart} + no::bigint * ${msApart}), 12, '0')
               || '7' || substr(h, 1, 3) || '8' || substr(h, 4, 3) || substr(h, 7, 12))::uuid
       from (select md5(id::text || no) as h) as hashed
     $$`,
  );
  for (const [table, ids] of tables) await copyRows(database, table, ids, size.stored);
  await database.execute("drop function public.copied");
  bench.say(`stored-1m: ${size.stored * size.steps} steps stored in ${seconds(begin)} s`);
  const settled = await untilAnalysed(database, size.settleMs);
  bench.say(`stored-1m: autovacuum ${settled ? "has been there" : "is not through"} after ${seconds(begin)} s`);
}

const seconds = (begin: number): string => ((performance.now() - begin) / 1_000).toFixed(1);

/** Copies of the one task that is there. Two connections, half each: one would leave a processor idle. */
async function copyRows(database: TestDatabase, table: string, ids: readonly string[], copies: number): Promise<void> {
  const columns = await database.read<{ name: string; type: string }>(
    `select attname as name, format_type(atttypid, null) as type from pg_attribute
     where attrelid = $1::regclass and attnum > 0 and not attisdropped and attgenerated = '' order by attnum`,
    [`baton.${table}`],
  );
  const expressions = columns.map(({ name, type }) => {
    if (name === "task_id" || ids.includes(name)) return `public.copied(${name}, copy_no)`;
    if (type === "timestamp with time zone")
      return `${name} - interval '1 ms' * (${hourMs} + ${msApart}::bigint * (${copies} - copy_no))`;
    return name;
  });
  const names = columns.map(({ name }) => name).join(", ");
  const middle = Math.ceil(copies / 2);
  const source = `(select * from baton.${table} where task_id = (select task_id from baton.task_execution order by task_id desc limit 1))`;
  const copy = (from: number, to: number) =>
    // Every reference is a copied one: checking eight million of them would take most of the time.
    database.execute(
      `do $do$ begin
         set local session_replication_role = replica;
         insert into baton.${table} (${names})
         select ${expressions.join(", ")} from generate_series(${from}, ${to}) as copy_no, ${source} as original;
       end $do$`,
    );
  await Promise.all([copy(1, middle), copy(middle + 1, copies)]);
}

/** Autovacuum comes by itself; this only waits for it. */
async function untilAnalysed(database: TestDatabase, forMs: number): Promise<boolean> {
  const until = performance.now() + forMs;
  for (;;) {
    const [left] = await database.read<{ tables: number }>(
      `select count(*)::int as tables from pg_stat_user_tables
       where schemaname = 'baton' and n_live_tup + n_ins_since_vacuum > 10000 and last_autoanalyze is null`,
    );
    const [busy] = await database.read<{ workers: number }>(
      "select count(*)::int as workers from pg_stat_progress_vacuum",
    );
    if (left?.tables === 0 && busy?.workers === 0) return true;
    if (performance.now() > until) return false;
    await delay(1_000);
  }
}
