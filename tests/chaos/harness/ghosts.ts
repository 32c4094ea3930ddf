import type { World } from "./world.ts";

/** Throws when a task is in the database that no client was answered for: a creation that was repeated and made two. */
export async function refuseGhosts({ stack, tasks }: World): Promise<void> {
  const rows = await stack.database.read<{ taskId: string }>(
    `select task_id as "taskId" from baton.task_execution where task_id <> all ($1)`,
    [[...tasks.keys()]],
  );
  if (rows.length > 0) throw new Error(`Nobody was answered for ${rows.length} tasks, first ${rows[0]?.taskId}.`);
}
