/** PostgreSQL commits, and the word of it is lost on the way back: of a claim, of a settle, of a task's creation. */
import { until } from "../../stack/program.ts";
import { backends } from "../../stack/stack.ts";
import type { ChaosCase } from "../harness/case.ts";
import { refuseGhosts } from "../harness/ghosts.ts";
import { effectChain } from "../harness/plans.ts";
import type { World } from "../harness/world.ts";

const verbs = {
  claim: /baton_v1\.claim\(/,
  settle: /baton_v1\.settle\(/,
  create: /baton_v1\.create_tasks\(/,
} as const;

export const commitReplyLost: ChaosCase<{ replies: number }> = {
  id: "commit-reply-lost",
  backends,
  claims:
    "connections cut after the commit of a claim, a settle or a creation: the retry gets the same answer, nothing is orphaned",
  scale: { t: { replies: 20 }, l: { replies: 500 } },
  seconds: { t: 25, l: 240 },
  world: { workers: 0 },
  // That nothing has to be recovered is the claim.
  least: { recovered: 0 },
  async run(world, { replies }) {
    const each = Math.ceil(replies / 3);
    const [claims, settles, creations] = await Promise.all([
      loser(world, verbs.claim, each, (env) => world.startWorker({ env })),
      loser(world, verbs.settle, each, (env) => world.startWorker({ env })),
      loser(world, verbs.create, each, async (env) => {
        world.stack.api.kill("SIGTERM");
        await world.stack.api.exited;
        await world.stack.startApi(env);
      }),
    ]);
    const parts = [claims, settles, creations];
    // Flushes carry many items; small waves of tasks make many flushes.
    for (let wave = 0; wave < 20 * each && parts.some(({ left }) => left() > 0); wave++) {
      const ids = await world.createTasks(4, () => effectChain(3, { after_ms: world.random.between(0, 30) }));
      await world.untilAllSettled(ids);
    }
    await until("every reply that was to be lost is lost", async () => parts.every(({ left }) => left() === 0));
    await refuseGhosts(world);
    // A process that the machine did not let beat lost its lease; that is none of these faults.
    const again = await world.stack.database.read<{ count: number }>(
      "select count(*)::int as count from baton.task_execution_step where attempt_no - crash_count > 1",
    );
    if ((again[0]?.count ?? 0) > 0) throw new Error(`${again[0]?.count} steps were attempted again.`);
  },
};

/** Starts a process behind a proxy that loses `times` replies to the statement, every third; resolves to how many are left. */
async function loser(
  world: World,
  statement: RegExp,
  times: number,
  start: (env: Readonly<Record<string, string>>) => Promise<unknown>,
): Promise<{ left: () => number }> {
  const proxy = await world.proxyTo("postgres");
  await start({ DATABASE_URL: proxy.url });
  proxy.lose({
    statement,
    what: "reply",
    by: "reset",
    times,
    every: 3,
    onLost: () => world.faults.record("reply-lost", statement.source),
  });
  return { left: () => times - proxy.counts.repliesLost };
}
