/** Slots per pool of all live sessions; a session's slots count in each of its pools. Index: session_live. Rows: one a session. */
import { type Database, rowsOf } from "../connection/pools.ts";
import { sql } from "../connection/sql.ts";

export async function liveSlots(db: Database): Promise<readonly { readonly pool: string; readonly slots: number }[]> {
  return rowsOf(
    db,
    sql`select p.pool, sum(w.slots)::int as slots
        from baton.worker_session w cross join unnest(w.pools) as p(pool)
        where w.ended_at is null and w.expires_at > baton.clock()
        group by p.pool order by p.pool`,
  );
}
