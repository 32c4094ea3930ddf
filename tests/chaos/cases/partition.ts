/** Workers are cut from PostgreSQL while they perform steps; what they sent arrives when the network is back. */
import { setTimeout as delay } from "node:timers/promises";
import { until } from "../../stack/program.ts";
import { backends } from "../../stack/stack.ts";
import type { ChaosCase } from "../harness/case.ts";
import { effectChain } from "../harness/plans.ts";

export const partition: ChaosCase<{ tasks: number; cut: number; seconds: number }> = {
  id: "partition",
  backends,
  claims:
    "a worker cut from PostgreSQL gives up its attempts by itself, others take them over, and nothing late counts",
  scale: { t: { tasks: 20, cut: 1, seconds: 6 }, l: { tasks: 200, cut: 2, seconds: 90 } },
  seconds: { t: 20, l: 120 },
  world: { workers: 2, slots: 5 },
  async run(world, { tasks, cut, seconds }) {
    const { faults, random, slots } = world;
    const workers = await Promise.all(
      Array.from({ length: cut }, async () => {
        const proxy = await world.proxyTo("postgres");
        return { proxy, worker: await world.startWorker({ env: { DATABASE_URL: proxy.url } }) };
      }),
    );
    await world.createTasks(tasks, () => effectChain(3, { before_ms: random.between(100, 1_000), after_ms: 1_000 }));
    for (const { worker } of workers) {
      await until(`${worker.name} performs steps`, async () => (await performing(world, worker.process.pid)) > 0);
    }
    for (const { proxy, worker } of workers) {
      proxy.partition();
      faults.record("partition", `${worker.name} cut from PostgreSQL for ${seconds} s`, slots);
    }
    // By itself: while it is cut, nobody can tell it that its lease is over.
    for (const { worker } of workers) {
      await until(`${worker.name} gives its session up`, async () => worker.output().includes("session-lost"), worker);
    }
    await delay(seconds * 1_000);
    for (const { proxy } of workers) proxy.admit();
    await world.untilAllSettled();
  },
};

async function performing(world: Parameters<typeof partition.run>[0], pid: number | undefined): Promise<number> {
  const rows = await world.stack.database.read<{ count: number }>(
    `select count(*)::int as count from baton.task_execution_step s join baton.worker_session w using (session_id)
     where s.state = 'running' and w.pid = $1`,
    [pid],
  );
  return rows[0]?.count ?? 0;
}
