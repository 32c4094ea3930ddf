/** People cancel, pause, resume and retry at random moments, while steps settle. */
import { setTimeout as delay } from "node:timers/promises";
import type { PlanSpec } from "@baton/core/plan";
import { taskStates } from "@baton/core/lifecycle";
import { until } from "../../stack/program.ts";
import { backends } from "../../stack/stack.ts";
import type { ChaosCase } from "../harness/case.ts";
import { effectFan } from "../harness/plans.ts";
import type { World } from "../harness/world.ts";

const verbs = ["cancel", "pause", "resume", "retry"] as const;
const promisedAbortMs = 2_000;
const fan = 3;
/** Longer than any run: only an abort ends it. */
const endlessMs = 3_600_000;

export const race: ChaosCase<{ tasks: number }> = {
  id: "race",
  backends,
  claims:
    "cancel, pause, resume and retry at random moments: legal states only, nothing starts after a cancel, what runs then is aborted within 2 s",
  scale: { t: { tasks: 200 }, l: { tasks: 2_000 } },
  seconds: { t: 30, l: 200 },
  world: { slots: 25 },
  async run(world, { tasks }) {
    const { random, faults } = world;
    const doomed = await world.createTasks(Math.ceil(tasks / 20), (index) => planOf(world, index, endlessMs));
    const acting = doomed.map((id) => cancelWhileItRuns(world, id));
    // As many at a time as keep the slots in use: most words then meet something that moves.
    const wave = 50;
    for (let created = 0; created < tasks; created += wave) {
      const ids = await world.createTasks(Math.min(wave, tasks - created), (index) =>
        planOf(world, index, random.between(50, 600)),
      );
      acting.push(...ids.map((id) => disturb(world, id, random.derive(id))));
      await delay(random.between(200, 600));
    }
    await Promise.all(acting);
    if (faults.count("cancel") === 0 || faults.count("pause") === 0) throw new Error("No word came in time to matter.");
    await world.untilAllSettled();
    await refuseStartsAfterCancel(world);
    await refuseLateAborts(world, doomed);
  },
};

/** A stay that fails once in every third task, effects side by side, and one after them. */
function planOf({ random }: World, index: number, stayMs: number): PlanSpec {
  const stay = {
    id: "stay",
    type: "tool" as const,
    tool: "chaos.stay",
    arguments: { ms: stayMs, failures: index % 3 === 0 ? 1 : 0 },
    retry: { max_attempts: 1 },
  };
  const effects = effectFan(fan, { before_ms: random.between(0, 300) }).steps;
  return { steps: [stay, ...effects.map((step) => (step.id === "join" ? step : { ...step, depends_on: ["stay"] }))] };
}

async function cancelWhileItRuns(world: World, taskId: string): Promise<void> {
  await until("the stay runs", async () => (await world.stack.client.getTask(taskId)).runningSteps > 0);
  await delay(world.random.between(0, 1_000));
  await say(world, taskId, "cancel");
}

type Verb = (typeof verbs)[number];

/** Says a few words to one task, and then what it needs to end. */
async function disturb(world: World, taskId: string, random: World["random"]): Promise<void> {
  for (let words = random.between(1, 4); words > 0; words--) {
    await delay(random.between(0, 500));
    await say(world, taskId, random.pick(verbs));
  }
  for (;;) {
    const { state } = await world.stack.client.getTask(taskId);
    if (taskStates[state] === "terminal") break;
    if (state === "paused") await say(world, taskId, "resume");
    else if (taskStates[state] === "resting") await say(world, taskId, "retry");
    await delay(200);
  }
}

async function say(world: World, taskId: string, verb: Verb): Promise<void> {
  const { stack, faults, tasks } = world;
  const answer = await stack.call(`/api/v1/tasks/${taskId}/${verb}`, { method: "POST" });
  const text = await answer.text();
  if (answer.status === 409) return;
  if (!answer.ok) throw new Error(`${verb} was answered ${answer.status}: ${text}`);
  const { state, changed } = JSON.parse(text) as { state: string; changed: boolean };
  if (!changed) return;
  // What is aborted by a pause runs again after it.
  faults.record(verb, taskId, verb === "pause" ? fan : 0);
  if (verb !== "cancel") return;
  if (state !== "cancelled") throw new Error(`A cancel that was accepted left ${taskId} ${state}.`);
  world.expectTask(taskId, { state: "cancelled", stepCount: tasks.get(taskId)?.stepCount ?? 0 });
}

async function refuseStartsAfterCancel({ stack }: World): Promise<void> {
  const late = await stack.database.read<{ taskId: string; no: number; type: string }>(
    `select t.task_id::text as "taskId", t.no::int, t.type
     from baton.task_execution_trace t
     join baton.task_execution_trace c on c.tenant_id = t.tenant_id and c.task_id = t.task_id and c.type = 'task-cancelled'
     where t.no > c.no and t.type in ('step-started', 'step-completed', 'step-redispatched', 'steps-added')`,
  );
  if (late.length > 0) throw new Error(`After a cancel: ${JSON.stringify(late.slice(0, 5))}`);
}

/** Every endless stay was aborted by its cancel, and in time. */
async function refuseLateAborts({ stack, slack }: World, taskIds: readonly string[]): Promise<void> {
  const cancelled = await stack.database.read<{ stepId: string; at: number }>(
    `select s.step_id::text as "stepId", extract(epoch from c.created_at)::float8 * 1000 as at
     from baton.task_execution_step s
     join baton.task_execution_trace c on c.tenant_id = s.tenant_id and c.task_id = s.task_id and c.type = 'task-cancelled'
     where s.key = 'stay' and s.task_id = any ($1)`,
    [taskIds],
  );
  if (cancelled.length !== taskIds.length) throw new Error(`${cancelled.length} of ${taskIds.length} were cancelled.`);
  const aborted = () =>
    new Map(
      stack.workers.flatMap((worker) =>
        [...worker.output().matchAll(/stay-aborted (\S+) (\d+)/g)].map(([, stepId = "", at]) => [stepId, Number(at)]),
      ),
    );
  await until("every stay was told to go", async () => cancelled.every(({ stepId }) => aborted().has(stepId)));
  const times = aborted();
  const delays = cancelled.map(({ stepId, at }) => (times.get(stepId) ?? Number.POSITIVE_INFINITY) - at);
  const longest = Math.max(...delays);
  if (longest > promisedAbortMs * slack) throw new Error(`A step was aborted ${longest} ms after its cancel.`);
}
