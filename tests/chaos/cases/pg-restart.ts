/** PostgreSQL crashes and comes back, again and again, while tasks are created and performed. */
import { setTimeout as delay } from "node:timers/promises";
import { backends, newId } from "../../stack/stack.ts";
import type { ChaosCase } from "../harness/case.ts";
import { refuseGhosts } from "../harness/ghosts.ts";
import { effectChain } from "../harness/plans.ts";
import type { World } from "../harness/world.ts";

export const pgRestart: ChaosCase<{ restarts: number; everyMs: number }> = {
  id: "pg-restart",
  backends,
  claims: "PostgreSQL crashed under load: every accepted task is exact, and no 5xx comes without Retry-After",
  scale: { t: { restarts: 2, everyMs: 5_000 }, l: { restarts: 40, everyMs: 7_500 } },
  seconds: { t: 30, l: 330 },
  world: { workers: 2, ownPostgres: true },
  // A flush that is sent again answers as if nothing had happened.
  least: { recovered: 0 },
  async run(world, { restarts, everyMs }) {
    const { postgres, faults, random, slots, stack } = world;
    if (postgres === undefined) throw new Error("This world has no PostgreSQL of its own.");
    const stopping = new AbortController();
    const creating = createUntil(world, stopping.signal);
    for (let count = 0; count < restarts; count++) {
      await delay(everyMs * (0.6 + 0.8 * random.next()));
      // Sessions that could not be renewed in time end, and with them what they perform.
      faults.record("pg-restart", "immediate shutdown", slots * 2);
      await postgres.crash();
      await delay(random.between(0, 1_000));
      await postgres.start();
    }
    stopping.abort();
    await creating;
    await world.untilAllSettled();
    await refuseGhosts(world);
    // By its own thread, which ends a process that does not hear of a lost lease, yes; by an error that nobody caught, no.
    const failed = [stack.api, ...stack.workers].filter(({ process }) => process.exitCode !== null);
    if (failed.length > 0) {
      throw new Error(failed.map(({ name, output }) => `${name} ended:\n${output().slice(-4_000)}`).join("\n"));
    }
  },
};

/** One client that creates a task every 100 ms, with a key, and repeats what was not answered or answered 503. */
async function createUntil(world: World, stopping: AbortSignal): Promise<void> {
  while (!stopping.aborted) {
    const plan = effectChain(3, { after_ms: world.random.between(50, 600) });
    await createOnce(world, plan, newId());
    await delay(100);
  }
}

async function createOnce(world: World, plan: ReturnType<typeof effectChain>, key: string): Promise<void> {
  const giveUpAt = performance.now() + 60_000;
  for (;;) {
    const answer = await world.stack.call("/api/v1/tasks", { json: { plan }, headers: { "idempotency-key": key } });
    if (answer.status === 202) {
      const { id } = (await answer.json()) as { readonly id: string };
      world.expectTask(id, { state: "completed", stepCount: plan.steps.length });
      return;
    }
    const text = await answer.text();
    if (answer.status >= 500 && answer.headers.get("retry-after") === null) {
      throw new Error(`POST was answered ${answer.status} without Retry-After: ${text}`);
    }
    // 409 with this key: an earlier request of ours is still under way.
    if (answer.status < 500 && answer.status !== 409) throw new Error(`POST was answered ${answer.status}: ${text}`);
    if (performance.now() > giveUpAt) throw new Error(`No task could be created for 60 s: ${answer.status} ${text}`);
    await delay(200);
  }
}
