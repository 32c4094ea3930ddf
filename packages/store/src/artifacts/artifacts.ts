/** Artifacts: files that steps produced, readable by every worker and client of the tenant. */
import { createHash } from "node:crypto";
import { BatonError, type StepRef, type TaskRef } from "@baton/core";
import type { ArtifactDraft, ArtifactRef } from "@baton/core/ports";
import type { ArtifactRow } from "../client-store.ts";
import { type Database, rowsOf } from "../connection/pools.ts";
import { sql } from "../connection/sql.ts";
import { maxOutputBytes } from "../steps/attempts.ts";

const columns = sql`a.artifact_id as "artifactId", a.name, a.media_type as "mediaType", a.size_bytes::float8 as "sizeBytes",
  a.step_id as "stepId", a.sha256, floor(extract(epoch from a.created_at) * 1000)::float8 as "createdAt"`;

/**
 * The same content under the same name from another attempt is the same artifact.
 * Lock order: blob row, artifact row (both new). Index: artifact_content. Rows: two.
 */
export async function saveArtifact(
  db: Database,
  ref: StepRef,
  draft: ArtifactDraft,
  newId: () => string,
): Promise<ArtifactRef> {
  if (draft.content.byteLength > maxOutputBytes) {
    throw new BatonError(
      "payload-too-large",
      `The artifact ${JSON.stringify(draft.name)} has ${draft.content.byteLength} bytes; the limit is ${maxOutputBytes} (32 MB).`,
    );
  }
  const sha256 = createHash("sha256").update(draft.content).digest("hex");
  const content = Buffer.from(draft.content.buffer, draft.content.byteOffset, draft.content.byteLength);
  await db.execute(sql`
    with fresh as (
      select where not exists (select from baton.artifact where tenant_id = ${ref.tenantId} and task_id = ${ref.taskId}
        and step_id = ${ref.stepId} and name = ${draft.name} and sha256 = ${sha256})
    ),
    stored as (
      insert into baton.blob (tenant_id, task_id, blob_id, content)
      select ${ref.tenantId}::uuid, ${ref.taskId}::uuid, ${newId()}::uuid, ${content}::bytea from fresh
      returning blob_id
    )
    insert into baton.artifact (tenant_id, task_id, artifact_id, step_id, name, media_type, size_bytes, sha256, blob_id, created_at)
    select ${ref.tenantId}::uuid, ${ref.taskId}::uuid, ${newId()}::uuid, ${ref.stepId}::uuid, ${draft.name}, ${draft.mediaType},
           ${draft.content.byteLength}::bigint, ${sha256}, blob_id, baton.clock()
    from stored
    on conflict do nothing`);
  const rows = await rowsOf<ArtifactRef>(
    db,
    sql`select artifact_id as "artifactId", name, media_type as "mediaType", size_bytes::float8 as "sizeBytes" from baton.artifact
        where tenant_id = ${ref.tenantId} and task_id = ${ref.taskId} and step_id = ${ref.stepId} and name = ${draft.name} and sha256 = ${sha256}`,
  );
  const saved = rows[0];
  if (saved === undefined) throw new BatonError("internal", `The artifact ${JSON.stringify(draft.name)} was not kept.`);
  return saved;
}

/** Index: artifact primary key. */
export function listArtifacts(db: Database, ref: TaskRef): Promise<readonly ArtifactRow[]> {
  return rowsOf<ArtifactRow>(
    db,
    sql`select ${columns} from baton.artifact a
        where a.tenant_id = ${ref.tenantId} and a.task_id = ${ref.taskId}
        order by a.created_at, a.artifact_id`,
  );
}

/** Index: artifact and blob primary keys. */
export async function readArtifact(
  db: Database,
  ref: TaskRef,
  artifactId: string,
): Promise<{ readonly row: ArtifactRow; readonly content: Uint8Array } | undefined> {
  const rows = await rowsOf<ArtifactRow & { readonly content: Buffer }>(
    db,
    sql`select ${columns}, b.content from baton.artifact a
        join baton.blob b on b.tenant_id = a.tenant_id and b.task_id = a.task_id and b.blob_id = a.blob_id
        where a.tenant_id = ${ref.tenantId} and a.task_id = ${ref.taskId} and a.artifact_id = ${artifactId}`,
  );
  if (rows[0] === undefined) return undefined;
  const { content, ...row } = rows[0];
  return { row, content: new Uint8Array(content.buffer, content.byteOffset, content.byteLength) };
}
