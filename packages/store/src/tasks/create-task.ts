/** Creates tasks with their steps, those of one moment in one transaction; see create-task.sql. */
import { BatonError } from "@baton/core";
import { stepToWire } from "@baton/core/plan";
import type { CreateTask } from "../client-store.ts";
import { type Batcher, createBatcher } from "../connection/batcher.ts";
import { type Connections, type Database, rowsOf } from "../connection/pools.ts";
import { sql } from "../connection/sql.ts";
import type { WireWakeUp } from "../steps/attempts.ts";

export interface CreationOptions {
  readonly connections: Connections;
  readonly newId: () => string;
  /** Wake-ups the queue may still take. */
  readonly room: () => number;
  /** Called after the commit, before the creations resolve. */
  readonly onWakeUps: (wakeUps: readonly WireWakeUp[]) => void;
}

interface Creation {
  readonly tenantId: string;
  readonly json: string;
}

/** A creation that is not answered is the client's to repeat, under its idempotency key: nothing is tried again here. */
const noPatienceMs = -1;

/** The creations reject with `idempotency-key-in-flight` when their key was given to another request meanwhile. */
export function createCreations({ connections, newId, room, onWakeUps }: CreationOptions) {
  // Row-level security binds a transaction to one tenant.
  const tenants = new Map<string, Batcher<Creation, undefined>>();
  const flush = async (creations: readonly Creation[]): Promise<readonly undefined[]> => {
    const tenantId = creations[0]?.tenantId ?? "";
    const json = `[${creations.map((creation) => creation.json).join(",")}]`;
    onWakeUps(await connections.api(tenantId, (db) => createTasks(db, json, room())));
    return creations.map(() => undefined);
  };
  return async (task: CreateTask): Promise<void> => {
    const { tenantId } = task;
    let batcher = tenants.get(tenantId);
    if (batcher === undefined) {
      const made = createBatcher<Creation, undefined>({
        maxItems: 50,
        maxBytes: 4_194_304,
        sizeOf: ({ json }) => json.length,
        newFlushId: newId,
        patienceMs: noPatienceMs,
        flush,
      });
      batcher = made;
      tenants.set(tenantId, made);
    }
    try {
      await batcher.add({ tenantId, json: JSON.stringify({ ...task, steps: task.steps.map(stepToWire) }) });
    } catch (error) {
      throw isKeyHeldByAnother(error) ? keyLost(error) : error;
    }
  };
}

const isKeyHeldByAnother = (error: unknown): boolean => (error as { readonly code?: unknown }).code === "BT003";

function keyLost(cause: unknown): BatonError {
  const message = "This request took so long that its Idempotency-Key was given to another; ask again in a moment.";
  return new BatonError("idempotency-key-in-flight", message, { cause });
}

async function createTasks(db: Database, json: string, room: number): Promise<readonly WireWakeUp[]> {
  const rows = await rowsOf<{ wakeUps: readonly WireWakeUp[] }>(
    db,
    sql`select baton_v1.create_tasks(${json}::jsonb, ${room}::int) as "wakeUps"`,
  );
  return rows[0]?.wakeUps ?? [];
}
