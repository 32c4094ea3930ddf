/** Creates a task with its steps in one transaction; see create-task.sql. */
import { stepToWire } from "@baton/core/plan";
import { sql } from "drizzle-orm";
import type { CreateTask } from "../client-store.ts";
import { type Database, rowsOf } from "../connection/pools.ts";
import type { WireWakeUp } from "../steps/attempts.ts";

export async function createTask(db: Database, task: CreateTask, room: number): Promise<readonly WireWakeUp[]> {
  const wire = { ...task, steps: task.steps.map(stepToWire) };
  const rows = await rowsOf<{ wakeUps: readonly WireWakeUp[] }>(
    db,
    sql`select baton_v1.create_task(${JSON.stringify(wire)}::jsonb, ${room}::int) as "wakeUps"`,
  );
  return rows[0]?.wakeUps ?? [];
}
