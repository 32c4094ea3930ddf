/** Every step is woken five times and more: too early, late, out of order, and by several workers at once. */
import { setTimeout as delay } from "node:timers/promises";
import { defaultTenantId } from "@baton/core";
import type { QueuePort } from "@baton/core/ports";
import { openPostgresQueue, openRedisQueue } from "@baton/queue";
import { backends } from "../../stack/stack.ts";
import type { ChaosCase } from "../harness/case.ts";
import { effectChain } from "../harness/plans.ts";
import type { World } from "../harness/world.ts";

const copies = 5;
/** Beyond every number that dispatching reaches: the same number again would be swallowed as the same message. */
const firstCopyNo = 1_000_000;

export const duplicate: ChaosCase<{ tasks: number }> = {
  id: "duplicate",
  backends,
  claims:
    "every wake-up delivered five times, delayed and reordered, to 8 workers: one execution a step, in the order of the plan",
  scale: { t: { tasks: 100 }, l: { tasks: 2_000 } },
  seconds: { t: 25, l: 120 },
  world: { workers: 8, slots: 5 },
  // Repeated messages are no loss.
  least: { recovered: 0 },
  async run(world, { tasks }) {
    const queue = await openQueue(world);
    try {
      const wave = 50;
      for (let created = 0; created < tasks; created += wave) {
        const ids = await world.createTasks(Math.min(wave, tasks - created), () =>
          effectChain(3, { after_ms: world.random.between(0, 50) }),
        );
        await wakeAgain(world, queue, ids);
      }
      await world.untilAllSettled();
      await refuseDisorder(world);
    } finally {
      await queue.close();
    }
  },
};

function openQueue({ stack }: World): Promise<QueuePort> {
  const onError = () => undefined;
  return stack.redis === undefined
    ? openPostgresQueue({ url: stack.database.url, onError })
    : openRedisQueue({ url: stack.redis.url, onError });
}

async function wakeAgain({ stack, random, faults }: World, queue: QueuePort, ids: readonly string[]): Promise<void> {
  const steps = await stack.database.read<{ taskId: string; stepId: string; pool: string }>(
    `select task_id as "taskId", step_id as "stepId", pool from baton.task_execution_step where task_id = any ($1)`,
    [ids],
  );
  const again = random.shuffle(
    steps.flatMap((step) =>
      Array.from({ length: copies - 1 }, (_, copy) => ({ ...step, dispatchNo: firstCopyNo + copy })),
    ),
  );
  const size = Math.ceil(again.length / 10);
  for (let at = 0; at < again.length; at += size) {
    const part = again.slice(at, at + size);
    for (const [pool, own] of Map.groupBy(part, (wakeUp) => wakeUp.pool)) {
      const wakeUps = own.map(({ taskId, stepId, dispatchNo }) => ({
        tenantId: defaultTenantId,
        taskId,
        stepId,
        dispatchNo,
      }));
      await queue.enqueue(pool, wakeUps);
    }
    faults.record("duplicate", `${part.length} more wake-ups`);
    await delay(random.between(0, 200));
  }
}

/** A step that started before the one it depends on had completed, or more than once. */
async function refuseDisorder({ stack }: World): Promise<void> {
  const [row] = await stack.database.read<{ early: number; again: number }>(
    `with life as (
       select s.task_id, s.position, s.attempt_no, s.started_at,
         lag(s.finished_at) over (partition by s.task_id order by s.position) as before
       from baton.task_execution_step s)
     select count(*) filter (where started_at < before)::int as early, count(*) filter (where attempt_no <> 1)::int as again from life`,
  );
  if (row === undefined || row.early > 0 || row.again > 0) {
    throw new Error(`${row?.early} steps started before their turn, ${row?.again} were attempted more than once.`);
  }
}
