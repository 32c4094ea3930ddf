/** Connections of single workers go silent: what is sent over them arrives nowhere, and nobody is told. */
import { setTimeout as delay } from "node:timers/promises";
import type { Link } from "@baton/testing/faults";
import { until } from "../../stack/program.ts";
import { backends } from "../../stack/stack.ts";
import type { ChaosCase } from "../harness/case.ts";
import { longestStartDelayMs } from "../harness/delays.ts";
import { effectChain } from "../harness/plans.ts";
import type { World } from "../harness/world.ts";

interface Silence {
  readonly what: string;
  readonly server: "postgres" | "redis";
  readonly select: (link: Link) => boolean;
  /** Where a new connection takes long, its steps are performed again by others. */
  readonly mayLoseLease?: boolean;
}

const named = (name: string) => (link: Link) => link.label === name;

const silences: readonly Silence[] = [
  { what: "the store's connections", server: "postgres", select: named("baton-worker") },
  { what: "LISTEN", server: "postgres", select: named("baton-worker-listen") },
  { what: "the beat", server: "postgres", select: named("baton-beat"), mayLoseLease: true },
  { what: "all of PostgreSQL", server: "postgres", select: () => true, mayLoseLease: true },
];

/** Of the queue's backend. */
const queueSilences: Readonly<Record<"redis" | "postgres", readonly Silence[]>> = {
  postgres: [{ what: "the queue's connections", server: "postgres", select: ({ label }) => label.includes("queue") }],
  redis: [
    { what: "the connections that wait for messages", server: "redis", select: named("blocking") },
    { what: "all of Redis", server: "redis", select: () => true },
  ],
};

const promisedMs = 15_000;

export const halfOpen: ChaosCase<{ tasks: number; rounds: number }> = {
  id: "half-open",
  backends,
  claims:
    "connections that fall silent without a word: no step waits longer than 15 s to start, and their workers work again",
  scale: { t: { tasks: 40, rounds: 1 }, l: { tasks: 200, rounds: 5 } },
  seconds: { t: 30, l: 200 },
  // One whose connections are sound; the others go through proxies.
  world: { workers: 1 },
  // A beat that is not answered is sent again over a new connection, in time where that is quick.
  least: { recovered: 0 },
  async run(world, { tasks, rounds }) {
    const silenced = await Promise.all(
      [...silences, ...queueSilences[world.backend]].map((silence) => startSilenceable(world, silence)),
    );
    for (let round = 0; round < rounds; round++) {
      const create = world.createTasks(tasks, () => effectChain(3, { after_ms: world.random.between(50, 500) }));
      await delay(world.random.between(200, 800));
      const pids = silenced.filter(({ mayLoseLease }) => mayLoseLease).map(({ pid }) => pid);
      await until("one that may lose its lease performs steps", () => performsSteps(world, pids));
      for (const { silence } of silenced) silence();
      await create;
      await world.untilAllSettled();
    }
    const delayMs = await longestStartDelayMs(world);
    if (delayMs > promisedMs * world.slack) throw new Error(`A step waited ${delayMs} ms to start.`);
  },
};

async function performsSteps({ stack }: World, pids: readonly number[]): Promise<boolean> {
  const rows = await stack.database.read(
    `select from baton.task_execution_step s join baton.worker_session w on w.session_id = s.session_id
     where s.state = 'running' and w.pid = any ($1) limit 1`,
    [pids],
  );
  return rows.length > 0;
}

interface Silenceable {
  readonly pid: number;
  readonly mayLoseLease: boolean;
  /** Silences its connections. */
  silence(): void;
}

/** A worker behind a proxy. */
async function startSilenceable(
  world: World,
  { what, server, select, mayLoseLease = false }: Silence,
): Promise<Silenceable> {
  const proxy = await world.proxyTo(server);
  const env = { [server === "postgres" ? "DATABASE_URL" : "REDIS_URL"]: proxy.url };
  const worker = await world.startWorker({ env });
  const silence = (): void => {
    const count = proxy.silence(select);
    if (count === 0) throw new Error(`${worker.name} has no connection for: ${what}.`);
    // Attempts whose lease is lost with the connection run again elsewhere.
    world.faults.record("half-open", `${worker.name}: ${what}, ${count} connections`, world.slots);
  };
  return { pid: worker.process.pid ?? 0, mayLoseLease, silence };
}
