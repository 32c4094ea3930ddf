/** Ready and running steps per pool. Index: step_to_dispatch, step_dispatched, step_running. */
import { type Database, rowsOf } from "../connection/pools.ts";
import { sql } from "../connection/sql.ts";

export interface PoolBacklog {
  readonly pool: string;
  readonly ready: number;
  readonly running: number;
  readonly oldestReadyMs: number;
}

export function backlog(db: Database): Promise<readonly PoolBacklog[]> {
  return rowsOf<PoolBacklog>(
    db,
    sql`select pool, count(*) filter (where state = 'ready')::int as ready, count(*) filter (where state = 'running')::int as running,
          coalesce(extract(epoch from baton.clock() - min(available_at) filter (where state = 'ready')) * 1000, 0)::float8 as "oldestReadyMs"
        from baton.task_execution_step where state in ('ready', 'running') group by pool order by pool`,
  );
}
