/** A worker is told to leave with its slots full, while more work waits. */
import { setTimeout as delay } from "node:timers/promises";
import { backends, type Worker } from "../../stack/stack.ts";
import { until } from "../../stack/program.ts";
import type { ChaosCase } from "../harness/case.ts";
import { effectChain, misbehavingStep } from "../harness/plans.ts";
import { countSteps } from "../harness/rows.ts";
import { expectEvery, stepsOf } from "../harness/steps.ts";
import type { World } from "../harness/world.ts";

const slots = 40;
const graceMs = 2_000;
/** What the worker promises from its SIGTERM on. */
const claimsUntilMs = 100;
const handsBackMs = graceMs + 2_000;
/** From a hand-back to the start elsewhere. */
const startsElsewhereMs = 2_000;

interface Times {
  /** After SIGTERM, in ms: the worker's last claim, and its last hand-back. */
  readonly lastClaim: number | null;
  readonly lastRelease: number | null;
  /** The longest time from a hand-back to the next start. */
  readonly longestWait: number | null;
  readonly released: number;
}

async function timesOf({ stack }: World, worker: Worker, since: string): Promise<Times> {
  const [row] = await stack.database.read<Times>(
    `with own as (
       select t.* from baton.task_execution_trace t where t.created_at > $2::timestamptz - interval '1 minute'),
     started as (
       select o.* from own o join baton.worker_session w on w.session_id = (o.data->>'sessionId')::uuid
       where o.type = 'step-started' and w.pid = $1),
     released as (
       select o.created_at, (select min(n.created_at) from own n where n.step_id = o.step_id and n.type = 'step-started' and n.no > o.no) as next
       from own o join started s on s.step_id = o.step_id and s.attempt_no = o.attempt_no where o.type = 'step-released')
     select (select extract(epoch from max(created_at) - $2::timestamptz)::float8 * 1000 from started) as "lastClaim",
       (select extract(epoch from max(created_at) - $2::timestamptz)::float8 * 1000 from released) as "lastRelease",
       (select extract(epoch from max(next - created_at))::float8 * 1000 from released) as "longestWait",
       (select count(*)::int from released) as released`,
    [worker.process.pid, since],
  );
  if (row === undefined) throw new Error("The database gave no row.");
  return row;
}

async function drainOne(world: World): Promise<void> {
  const env = { BATON_CONCURRENCY: String(slots), BATON_GRACE_MS: String(graceMs) };
  const leaving = await world.startWorker({ env });
  const short = await world.createTasks(slots / 2, () => effectChain(1, { after_ms: 1_000 * world.slack }));
  const long = await world.createTasks(slots / 2, () => misbehavingStep("endless", { attempts: 1 }));
  await until("every slot is in use", async () => (await countSteps(world, "running")) === slots);
  const staying = await world.startWorker({ env });
  const more = await world.createTasks(slots / 2, () => effectChain(2, { after_ms: 200 }));
  const [row] = await world.stack.database.read<{ now: string }>("select baton.clock()::text as now");
  const since = row?.now ?? "";
  world.faults.record("SIGTERM", leaving.name, slots);
  leaving.kill("SIGTERM");
  if ((await leaving.exited) !== 0) throw new Error(`${leaving.name} ended by ${await leaving.exited}.`);
  await world.untilAllSettled([...short, ...long, ...more]);
  const { lastClaim, lastRelease, longestWait, released } = await timesOf(world, leaving, since);
  const { slack } = world;
  if (released === 0) throw new Error("Nothing was handed back.");
  if ((lastClaim ?? 0) > claimsUntilMs * slack) throw new Error(`It claimed ${lastClaim} ms after SIGTERM.`);
  if ((lastRelease ?? 0) > handsBackMs * slack) throw new Error(`It handed back ${lastRelease} ms after SIGTERM.`);
  if ((longestWait ?? 0) > startsElsewhereMs * slack) throw new Error(`Others started ${longestWait} ms later.`);
  const all = await stepsOf(world, [...short, ...long, ...more]);
  expectEvery(all, "no failure and no crash", ({ failureCount, crashCount }) => failureCount + crashCount === 0);
  staying.kill("SIGTERM");
  await staying.exited;
}

export const drain: ChaosCase<{ rounds: number }> = {
  id: "drain",
  backends,
  claims:
    "SIGTERM with 40 running: claims nothing more, hands back what does not end in time, others start it, nothing is counted, exit 0",
  scale: { t: { rounds: 1 }, l: { rounds: 50 } },
  seconds: { t: 35, l: 1_200 },
  world: { workers: 0, slots },
  async run(world, { rounds }) {
    for (let round = 0; round < rounds; round++) {
      await drainOne(world);
      await delay(100);
    }
    await world.startWorker();
  },
};
