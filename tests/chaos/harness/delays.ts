/** How long work waited, read from the database: what the cases that promise a time ask. */
import type { World } from "./world.ts";

/**
 * The longest time in ms from when a step could start to its first start, over all chains of the world: from the
 * completion of the step before it, or the creation of its task.
 */
export async function longestStartDelayMs(world: World): Promise<number> {
  const [row] = await world.stack.database.read<{ ms: number | null }>(
    `with life as (
       select task_id, step_id, min(created_at) filter (where type = 'step-started') as started,
         max(created_at) filter (where type = 'step-completed') as ended
       from baton.task_execution_trace where step_id is not null group by 1, 2),
     chain as (
       select l.started, coalesce(lag(l.ended) over (partition by s.task_id order by s.position), t.created_at) as ready
       from life l join baton.task_execution_step s using (task_id, step_id) join baton.task_execution t using (task_id)
       where s.key like 's%')
     select max(extract(epoch from started - ready) * 1000)::float8 as ms from chain`,
  );
  return Math.round(row?.ms ?? 0);
}

export interface Moment {
  /** By the database's clock. */
  readonly at: string;
  /** Steps that were dispatched and not started. */
  readonly stepIds: readonly string[];
}

/** Which steps wait on the queue now. */
export async function dispatchedNow(world: World): Promise<Moment> {
  const [row] = await world.stack.database.read<Moment>(
    `select baton.clock()::text as at, coalesce(array_agg(step_id) filter (where state = 'ready' and dispatched_at is not null), '{}') as "stepIds"
     from baton.task_execution_step`,
  );
  if (row === undefined) throw new Error("The database gave no row.");
  return row;
}

/** The longest time in ms from the moment until each of its steps was dispatched again or started. */
export async function longestGapAfterMs(world: World, { at, stepIds }: Moment): Promise<number> {
  const [row] = await world.stack.database.read<{ ms: number | null }>(
    `select max(gap) as ms from (
       select extract(epoch from min(created_at) - $1::timestamptz)::float8 * 1000 as gap from baton.task_execution_trace
       where step_id = any ($2) and type in ('step-started', 'step-redispatched') and created_at > $1::timestamptz group by step_id) g`,
    [at, stepIds],
  );
  return Math.round(row?.ms ?? 0);
}
