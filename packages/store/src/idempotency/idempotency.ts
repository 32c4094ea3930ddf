/**
 * Idempotency keys: the first request with a key is remembered with its answer for 24 h.
 *
 * 1. A key whose request died before it wrote a task may be used again when the session of its process has ended, and
 *    after a minute at the latest.
 * 2. The request that held it before can neither create a task under it then, nor give it back.
 */
import type { IdempotencyRef, IdempotencyStart, StoredAnswer } from "../client-store.ts";
import { type Database, rowsOf } from "../connection/pools.ts";
import { type SQL, sql } from "../connection/sql.ts";

const at = (ref: IdempotencyRef): SQL => sql`tenant_id = ${ref.tenantId} and route = ${ref.route} and key = ${ref.key}`;

/** Lock order: the key's row only. Index: primary keys. Rows: one. */
export async function startIdempotent(
  db: Database,
  ref: IdempotencyRef,
  bodyHash: string,
  sessionId: string | undefined,
): Promise<IdempotencyStart> {
  const taken = await rowsOf<{ key: string }>(
    db,
    sql`insert into baton.idempotency_key as k (tenant_id, route, key, body_hash, created_at, holder, session_id)
        values (${ref.tenantId}::uuid, ${ref.route}, ${ref.key}, ${bodyHash}, baton.clock(), ${ref.holder ?? null}::uuid, ${sessionId ?? null}::uuid)
        on conflict (tenant_id, route, key) do update set body_hash = excluded.body_hash, created_at = excluded.created_at,
          holder = excluded.holder, session_id = excluded.session_id, task_id = null, answer = null
        where k.created_at < baton.clock() - interval '24 hours'
           or (k.answer is null and k.task_id is null
               and (k.created_at < baton.clock() - interval '1 minute'
                    or (k.session_id is not null
                        and not exists (select from baton.worker_session w
                                        where w.session_id = k.session_id and w.ended_at is null and w.expires_at > baton.clock()))))
        returning key`,
  );
  if (taken.length > 0) return { start: "first" };
  const rows = await rowsOf<{ bodyHash: string; answer: StoredAnswer | null; taskId: string | null }>(
    db,
    sql`select body_hash as "bodyHash", answer, task_id as "taskId" from baton.idempotency_key where ${at(ref)}`,
  );
  const row = rows[0];
  if (row === undefined) return { start: "in-flight" };
  if (row.bodyHash !== bodyHash) return { start: "reused" };
  if (row.answer !== null) return { start: "replay", answer: row.answer };
  return row.taskId === null ? { start: "in-flight" } : { start: "created", taskId: row.taskId };
}

export async function finishIdempotent(db: Database, ref: IdempotencyRef, answer: StoredAnswer): Promise<void> {
  await db.execute(sql`update baton.idempotency_key set answer = ${JSON.stringify(answer)}::jsonb where ${at(ref)}`);
}

export async function dropIdempotent(db: Database, ref: IdempotencyRef): Promise<void> {
  await db.execute(
    sql`delete from baton.idempotency_key
        where ${at(ref)} and answer is null and task_id is null and holder is not distinct from ${ref.holder ?? null}::uuid`,
  );
}
