/** Redis ends with everything in it, and is back after a while. */
import { setTimeout as delay } from "node:timers/promises";
import { loseRedis } from "@baton/testing/faults";
import { defaultTenantId } from "@baton/core";
import { until } from "../../stack/program.ts";
import { newId } from "../../stack/stack.ts";
import type { ChaosCase } from "../harness/case.ts";
import { effectChain } from "../harness/plans.ts";
import type { World } from "../harness/world.ts";

const promisedMs = 15_000;

/** Outages in seconds, each with the one before it in the scale. */
const outages = [6, 1, 60];

export const redisGone: ChaosCase<{ tasks: number; outages: number }> = {
  id: "redis-gone",
  backends: ["redis"],
  claims:
    "Redis away for a while: the api goes on answering 202, and work resumes within 15 s of its return, without a restart",
  scale: { t: { tasks: 30, outages: 1 }, l: { tasks: 300, outages: 3 } },
  seconds: { t: 25, l: 150 },
  // Wake-ups that could not be sent are sent later for the first time: nothing has to be repeated.
  least: { recovered: 0 },
  async run(world, scale) {
    for (const seconds of outages.slice(0, scale.outages)) await loseAndReturn(world, seconds, scale.tasks);
    await world.untilAllSettled();
  },
};

async function loseAndReturn(world: World, seconds: number, tasks: number): Promise<void> {
  const { stack, faults, random, slack } = world;
  if (stack.redis === undefined) throw new Error("This world has no Redis.");
  await world.createTasks(tasks, () => effectChain(3, { after_ms: random.between(100, 1_000) }));
  await delay(random.between(0, 500));
  faults.record("redis-gone", `SHUTDOWN NOSAVE for ${seconds} s`);
  const back = loseRedis(stack.redis, seconds * 1_000);
  const meanwhile: string[] = [];
  const giveUpAt = performance.now() + seconds * 800;
  while (performance.now() < giveUpAt) {
    meanwhile.push(await createWithoutRepeating(world));
    await delay(seconds * 100);
  }
  await back;
  const backAt = performance.now();
  const last = meanwhile.at(-1) ?? "";
  await until("a task that was created meanwhile starts", () => hasStarted(world, last), undefined, 60_000);
  const resumedMs = Math.round(performance.now() - backAt);
  if (resumedMs > promisedMs * slack) throw new Error(`Work resumed ${resumedMs} ms after Redis was back.`);
  const ended = stack.workers.filter(({ process }) => process.exitCode !== null);
  if (ended.length > 0) throw new Error(`${ended.map(({ name }) => name).join(", ")} ended while Redis was away.`);
}

/** One POST, one answer: whoever creates a task must not notice that Redis is away. */
async function createWithoutRepeating(world: World): Promise<string> {
  const plan = effectChain(1, {});
  const headers = { "idempotency-key": newId() };
  const answer = await world.stack.call("/api/v1/tasks", { json: { plan }, headers });
  if (answer.status !== 202)
    throw new Error(`POST was answered ${answer.status} while Redis is away: ${await answer.text()}`);
  const { id } = (await answer.json()) as { readonly id: string };
  world.expectTask(id, { state: "completed", stepCount: plan.steps.length });
  return id;
}

async function hasStarted(world: World, taskId: string): Promise<boolean> {
  const traces = await world.stack.store.listTaskTraces({ tenantId: defaultTenantId, taskId }, { limit: 100 });
  return traces.some(({ type }) => type === "step-started");
}
