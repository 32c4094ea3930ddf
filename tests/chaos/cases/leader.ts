/** Whoever pumps and reaps dies every few seconds: the duties have no owner, so somebody else does them at once. */
import { setTimeout as delay } from "node:timers/promises";
import type { PlanSpec } from "@baton/core/plan";
import { backends, type Stack } from "../../stack/stack.ts";
import type { ChaosCase } from "../harness/case.ts";

const everyMs = 5_000;
const backoffMs = 400;
/** Within this, another worker has taken over what a dead one did. */
const takeoverMs = 3_000;
/** The fast lease of the worlds. */
const leaseMs = 3_000;

/** Steps that fire one timer after the other, `length` in a row. */
function timers(length: number): PlanSpec {
  return {
    steps: Array.from({ length }, (_, at) => ({
      id: `timer${at}`,
      type: "tool",
      tool: "chaos.refusing",
      arguments: { times: 1, delay_ms: backoffMs },
      retry: { max_attempts: 10 },
      ...(at > 0 && { depends_on: [`timer${at - 1}`] }),
    })),
  };
}

interface Delays {
  /** From when a step was due until it started, of attempts that followed a timer. */
  readonly timer: number;
  /** From the end of a lease until the steps under it were taken back. */
  readonly reap: number;
}

async function longestDelays({ database }: Stack): Promise<Delays> {
  const [row] = await database.read<Delays>(
    `with steps as (
       select created_at, type, data,
         lag(type) over w as before_type, lag(data) over w as before_data, lag(created_at) over w as before_at
       from baton.task_execution_trace where step_id is not null window w as (partition by step_id order by no))
     select
       coalesce(max(extract(epoch from created_at - before_at) * 1000 - (before_data->>'delayMs')::float8)
         filter (where type = 'step-started' and before_type = 'step-retry-scheduled'), 0)::float8 as timer,
       coalesce((select max(extract(epoch from s.created_at - w.expires_at) * 1000) from steps s
         join baton.worker_session w on w.session_id = (s.data->>'sessionId')::uuid where s.type = 'step-crashed'), 0)::float8 as reap
     from steps`,
  );
  return row ?? { timer: 0, reap: 0 };
}

export const leader: ChaosCase<{ tasks: number; kills: number }> = {
  id: "leader",
  backends,
  claims:
    "whoever pumps and reaps may die: timers fire within 3 s, dead sessions end within 3 s of their lease, nothing fires twice",
  scale: { t: { tasks: 10, kills: 2 }, l: { tasks: 100, kills: 20 } },
  seconds: { t: 22, l: 130 },
  world: { workers: 3, slots: 20 },
  async run(world, { tasks, kills }) {
    const length = Math.ceil((kills * everyMs) / backoffMs / 2);
    await world.createTasks(tasks, () => timers(length));
    for (let count = 0; count < kills; count++) {
      await delay(everyMs);
      // The oldest: it has had the most time to become the owner of anything that is owned.
      const [oldest] = world.running();
      if (oldest === undefined) throw new Error("No worker is left.");
      await world.kill(oldest);
      await world.startWorker();
    }
    await world.untilAllSettled();
    const { timer, reap } = await longestDelays(world.stack);
    // A step that was dispatched to the dead worker waits for its wake-up to be repeated (5 s).
    const timerMs = takeoverMs + leaseMs;
    if (timer > timerMs * world.slack) throw new Error(`A timer fired ${Math.round(timer)} ms late.`);
    if (reap > takeoverMs * world.slack)
      throw new Error(`A dead session was ended ${Math.round(reap)} ms after its lease.`);
  },
};
