/** Workers are stopped for longer than their lease, in the last moment before they settle, and then go on. */
import { until } from "../../stack/program.ts";
import { backends, type Worker } from "../../stack/stack.ts";
import type { ChaosCase } from "../harness/case.ts";
import { metric } from "../harness/metrics.ts";
import { modelThenFan } from "../harness/plans.ts";
import { countSteps } from "../harness/rows.ts";
import type { World } from "../harness/world.ts";

const abortMs = 1_000;

/** Its attempts, its lease and its session go; what it then settles is refused. */
async function wake(world: World, zombie: Worker): Promise<void> {
  world.faults.record("SIGCONT", zombie.name);
  zombie.kill("SIGCONT");
  const wokenAt = performance.now();
  await until(`${zombie.name} knows that its session is lost`, async () => zombie.output().includes('"session-lost"'));
  const tookMs = Math.round(performance.now() - wokenAt);
  if (tookMs > abortMs * world.slack)
    throw new Error(`${zombie.name} took ${tookMs} ms to abort, at most ${abortMs} are promised.`);
  await until(`${zombie.name} begins a new life`, async () => zombie.output().split('"session-open"').length === 3);
}

export const zombie: ChaosCase<{ workers: number; zombies: number; tasks: number }> = {
  id: "zombie",
  backends,
  claims: "a worker stopped for longer than its lease commits nothing of what others took over, and gives up at once",
  scale: { t: { workers: 2, zombies: 1, tasks: 8 }, l: { workers: 4, zombies: 2, tasks: 200 } },
  seconds: { t: 20, l: 60 },
  world: { workers: 0 },
  async run(world, { workers, zombies, tasks }) {
    const stopped = await Promise.all(
      Array.from({ length: zombies }, () =>
        world.startWorker({
          failPoints: [{ at: "before-settle", signal: "SIGSTOP" }],
          env: { BATON_OFFLINE_LATENCY_MS: "500" },
        }),
      ),
    );
    await world.createTasks(tasks, () => modelThenFan(2, { after_ms: 200 }));
    for (const worker of stopped) {
      await until(
        `${worker.name} has stopped`,
        async () => worker.output().includes("fail-point before-settle"),
        worker,
      );
      world.faults.record("SIGSTOP", worker.name, world.slots);
    }
    // Slower than the zombies: the attempts that take over are under way when these go on.
    const slow = { env: { BATON_OFFLINE_LATENCY_MS: "3000" } };
    await Promise.all(Array.from({ length: workers - zombies }, () => world.startWorker(slow)));
    await until("others have taken over", async () => (await countSteps(world, "running", 2)) > 0);
    await Promise.all(stopped.map((worker) => wake(world, worker)));
    await world.untilAllSettled();
    const refused = await Promise.all(
      stopped.map((worker) => metric(worker, "baton_settlements_total", { status: "lease-lost" })),
    );
    if (refused.some((count) => count === 0))
      throw new Error(`Settlements refused as lease-lost: ${refused.join(", ")}; each zombie tried.`);
  },
};
