/** The verb is release-orphans.sql. */
import type { StepRef } from "@baton/core";
import type { Connections } from "../connection/pools.ts";

/** Resolves to how many steps were given back. */
export async function releaseOrphans(
  { engine }: Pick<Connections, "engine">,
  sessionId: string,
  performing: readonly StepRef[],
  olderThanMs: number,
): Promise<number> {
  const refs = performing.map(({ tenantId, taskId, stepId }) => ({ n: tenantId, t: taskId, s: stepId }));
  const rows = await engine<{ released: number }>("select baton_v1.release_orphans($1, $2, $3) as released", [
    sessionId,
    JSON.stringify(refs),
    olderThanMs,
  ]);
  return rows[0]?.released ?? 0;
}
