/** Everything that a run left behind: rows, traces and effects, read once, after the last process has ended. */
import { setTimeout as delay } from "node:timers/promises";
import { defaultTenantId } from "@baton/core";
import { type ReducedCounters, reducedCounters, type TraceRow } from "@baton/core/events";
import type { Store } from "@baton/store";
import type { StoredEffect } from "./sink.ts";
import type { Expected, World } from "./world.ts";

type TaskRow = NonNullable<Awaited<ReturnType<Store["getTask"]>>>;
type StepRow = Awaited<ReturnType<Store["listTaskSteps"]>>[number];

export interface TaskEvidence {
  readonly taskId: string;
  readonly expected: Expected;
  /** Undefined when the task was accepted and is not there. */
  readonly task: TaskRow | undefined;
  readonly steps: readonly StepRow[];
  readonly traces: readonly TraceRow[];
  /** The task row's own counters, in the words of `reduce`. */
  readonly counters: ReducedCounters | undefined;
}

export interface Evidence {
  readonly tasks: readonly TaskEvidence[];
  readonly effects: readonly StoredEffect[];
  /** Steps that write to the sink, through tools of theirs or as agents, by id; `calls`: of such tools. */
  readonly effectSteps: ReadonlyMap<
    string,
    { readonly taskId: string; readonly state: string; readonly calls: number }
  >;
  /** Tasks in the database that nobody was answered for. */
  readonly unknownTaskIds: readonly string[];
  readonly deadlocks: number;
  /** The longest time between two traces while a task was open, in ms. */
  readonly longestGapMs: number;
}

/** Tools that record one effect in the sink on each execution. */
const effectTools = ["chaos.effect", "chaos.refusing", "chaos.misbehaving"];
const readers = 4;

/** After `world.end()`: nothing writes any more. */
export async function gather(world: World): Promise<Evidence> {
  const { stack, sink, tasks } = world;
  const left = [...tasks];
  const counters = await readCounters(world);
  const found: TaskEvidence[] = [];
  const read = async (): Promise<void> => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      found.push({ ...(await readTask(stack.store, ...next)), counters: counters.get(next[0]) });
    }
  };
  await Promise.all(Array.from({ length: readers }, read));
  const effectRows = await stack.database.read<{ stepId: string; taskId: string; state: string; calls: number }>(
    `select step_id as "stepId", task_id as "taskId", state, 1 as calls from baton.task_execution_step where config->>'tool' = any ($1) and type = 'tool'
     union all
     select step_id, task_id, s.state, count(*)::int from baton.task_execution_step s join baton.effect e using (tenant_id, task_id, step_id)
     where s.type = 'agent' and e.tool = any ($1) group by 1, 2, 3`,
    [effectTools],
  );
  const ids = await stack.database.read<{ taskId: string }>(`select task_id as "taskId" from baton.task_execution`);
  return {
    tasks: found,
    effects: await sink.effects(),
    effectSteps: new Map(effectRows.map(({ stepId, ...row }) => [stepId, row])),
    unknownTaskIds: ids.map(({ taskId }) => taskId).filter((taskId) => !tasks.has(taskId)),
    deadlocks: await deadlocks(world),
    longestGapMs: longestGap(found),
  };
}

/** Which of the ready steps are dispatched or backing off is no event: to `reduce` the three are one. */
async function readCounters({ stack }: World): Promise<ReadonlyMap<string, ReducedCounters>> {
  const columns = reducedCounters.map((name) =>
    name === "ready" ? "ready_count + dispatched_count + backoff_count as ready" : `${name}_count as ${name}`,
  );
  const rows = await stack.database.read<Readonly<Record<string, string>>>(
    `select task_id as "taskId", ${columns.join(", ")} from baton.task_execution`,
  );
  const countersOf = (row: Readonly<Record<string, string>>): ReducedCounters =>
    Object.fromEntries(reducedCounters.map((name) => [name, Number(row[name])])) as ReducedCounters;
  return new Map(rows.map((row) => [row["taskId"] ?? "", countersOf(row)]));
}

async function readTask(store: Store, taskId: string, expected: Expected): Promise<Omit<TaskEvidence, "counters">> {
  const ref = { tenantId: defaultTenantId, taskId };
  const task = await store.getTask(ref);
  const steps = await store.listTaskSteps(ref, { limit: 1_000_000 });
  const traces = await store.listTaskTraces(ref, { limit: 1_000_000 });
  return { taskId, expected, task, steps, traces };
}

/** A session adds its deadlocks to the statistics when it ends at the latest, so the others are waited for. */
async function deadlocks({ stack }: World): Promise<number> {
  const { read } = stack.database;
  const patience = performance.now() + 10_000;
  for (;;) {
    const [row] = await read<{ others: number; deadlocks: number }>(
      `select (select count(*)::int from pg_stat_activity where datname = current_database() and application_name like 'baton%') as others,
              deadlocks::int from pg_stat_database where datname = current_database()`,
    );
    if (row === undefined) throw new Error("pg_stat_database does not know this database.");
    if (row.others === 0 || performance.now() > patience) return row.deadlocks;
    await delay(50);
  }
}

/** Over all tasks together: while any of them was open, how long did nothing at all happen? */
function longestGap(tasks: readonly TaskEvidence[]): number {
  const open = tasks.map(({ traces }) => [traces[0]?.createdAt ?? 0, traces.at(-1)?.createdAt ?? 0] as const);
  const times = tasks.flatMap(({ traces }) => traces.map(({ createdAt }) => createdAt)).toSorted((a, b) => a - b);
  let longest = 0;
  for (let at = 1; at < times.length; at++) {
    const [from = 0, to = 0] = [times[at - 1], times[at]];
    if (to - from <= longest) continue;
    if (open.some(([begun, ended]) => begun <= from && ended >= to)) longest = to - from;
  }
  return Math.round(longest);
}
