/** The api is killed again and again while clients POST under idempotency keys, and while it plans. */
import { createHash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { defaultTenantId } from "@baton/core";
import { startScriptedModel } from "../../e2e/scripted-model.ts";
import { backends, newId } from "../../stack/stack.ts";
import type { ChaosCase } from "../harness/case.ts";
import { effectChain } from "../harness/plans.ts";
import { postTask } from "../harness/post-task.ts";
import type { World } from "../harness/world.ts";

const everyMs = 1_000;
const plannedSteps = ["first", "second"];

export const apiKill: ChaosCase<{ tasks: number; kills: number }> = {
  id: "api-kill",
  backends,
  claims:
    "the api killed every second under POSTs with idempotency keys and while it plans: exactly one task a key, one plan a task",
  scale: { t: { tasks: 50, kills: 4 }, l: { tasks: 500, kills: 40 } },
  seconds: { t: 30, l: 300 },
  world: { workers: 0 },
  // A plan is begun again elsewhere; whether one was under way at a kill is chance.
  least: { recovered: 0 },
  async run(world, { tasks, kills }) {
    const model = await startScriptedModel();
    try {
      const steps = plannedSteps.map((id, at) => ({
        id,
        type: "llm",
        prompt: "Go on.",
        description: id,
        depends_on: plannedSteps.slice(0, at),
      }));
      model.script({ plan: { object: { steps }, delayMs: 700 } }, "chaos goal");
      await Promise.all([
        restartApi(world, model.env, "SIGTERM"),
        world.startWorker({ env: model.env }),
        world.startWorker({ env: model.env }),
      ]);
      await answersToKeys(world);
      const posting = post(world, tasks);
      // Told where it is awaited, and not while the api is being killed.
      posting.catch(() => undefined);
      for (let count = 0; count < kills; count++) {
        await delay(everyMs);
        world.faults.record("kill", "the api", world.slots);
        await restartApi(world, model.env, "SIGKILL");
      }
      await posting;
      await world.untilAllSettled();
      await refuseSurplus(world);
    } finally {
      await model.close();
    }
  },
};

async function restartApi(
  { stack }: World,
  env: Readonly<Record<string, string>>,
  signal: NodeJS.Signals,
): Promise<void> {
  stack.api.kill(signal);
  await stack.api.exited;
  await stack.startApi(env);
}

/** Two of three are plans, one is a goal; each is POSTed twice under its key, at once. */
async function post(world: World, count: number): Promise<void> {
  const { stack, random } = world;
  const left = Array.from({ length: count }, (_, index) => index);
  const poster = async (): Promise<void> => {
    for (let index = left.shift(); index !== undefined; index = left.shift()) {
      const plan = effectChain(2);
      const isGoal = index % 3 === 0;
      const body = isGoal ? { goal: `chaos goal ${index}` } : { plan };
      const key = newId();
      // The api is there for a second at a time, and as long as it takes to start it is not.
      const ask = () => postTask(stack, body, key, 60_000 * world.slack);
      const ids = await Promise.all([ask(), ask()]);
      if (ids[0] !== ids[1]) throw new Error(`One key was answered with two tasks: ${ids.join(", ")}`);
      world.expectTask(ids[0], { state: "completed", stepCount: (isGoal ? plannedSteps : plan.steps).length });
      const other = await stack
        .call("/api/v1/tasks", { json: { goal: "another body" }, headers: { "idempotency-key": key } })
        .catch(() => undefined);
      if (other !== undefined && other.status !== 422 && other.status !== 503)
        throw new Error(`Another body under a used key was answered ${other.status}: ${await other.text()}`);
      await delay(random.between(0, 400));
    }
  };
  await Promise.all(Array.from({ length: Math.min(8, count) }, poster));
}

/** What a key answers whose first request is under way, and one that was used with another body. */
async function answersToKeys({ stack }: World): Promise<void> {
  const text = JSON.stringify({ plan: effectChain(1) });
  const key = newId();
  const hash = createHash("sha256").update("/api/v1/tasks\n").update(text).digest("hex");
  await stack.store.startIdempotent({ tenantId: defaultTenantId, route: "POST /api/v1/tasks", key }, hash);
  for (const [body, expected] of [
    [text, 409],
    [JSON.stringify({ goal: "another body" }), 422],
  ] as const) {
    const headers = { "idempotency-key": key, "content-type": "application/json" };
    const answer = await stack.call("/api/v1/tasks", { method: "POST", body, headers });
    if (answer.status !== expected)
      throw new Error(`Answered ${answer.status} instead of ${expected}: ${await answer.text()}`);
  }
}

async function refuseSurplus({ stack, tasks }: World): Promise<void> {
  const [row] = await stack.database.read<{ tasks: number; twice: number }>(
    `select (select count(*)::int from baton.task_execution) as tasks,
       (select count(*)::int from (select from baton.task_execution_step where kind = 'plan' group by task_id having count(*) > 1) t) as twice`,
  );
  if (row === undefined || row.tasks !== tasks.size)
    throw new Error(`${row?.tasks} tasks exist, ${tasks.size} were answered.`);
  if (row.twice > 0) throw new Error(`${row.twice} tasks were planned more than once.`);
}
