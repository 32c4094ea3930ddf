/** Creates a task with its steps in one transaction; see create-task.sql. */
import { BatonError } from "@baton/core";
import { stepToWire } from "@baton/core/plan";
import { sql } from "drizzle-orm";
import type { CreateTask } from "../client-store.ts";
import { type Database, rowsOf } from "../connection/pools.ts";
import type { WireWakeUp } from "../steps/attempts.ts";

/** @throws BatonError idempotency-key-in-flight when the key was given to another request meanwhile */
export async function createTask(db: Database, task: CreateTask, room: number): Promise<readonly WireWakeUp[]> {
  const wire = { ...task, steps: task.steps.map(stepToWire) };
  try {
    const rows = await rowsOf<{ wakeUps: readonly WireWakeUp[] }>(
      db,
      sql`select baton_v1.create_task(${JSON.stringify(wire)}::jsonb, ${room}::int) as "wakeUps"`,
    );
    return rows[0]?.wakeUps ?? [];
  } catch (error) {
    throw isKeyHeldByAnother(error) ? keyLost(error) : error;
  }
}

/** drizzle wraps the driver's error. */
const isKeyHeldByAnother = (error: unknown): boolean =>
  (error as { readonly cause?: { readonly code?: unknown } }).cause?.code === "BT003";

function keyLost(cause: unknown): BatonError {
  const message = "This request took so long that its Idempotency-Key was given to another; ask again in a moment.";
  return new BatonError("idempotency-key-in-flight", message, { cause });
}
