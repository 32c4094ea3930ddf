/** Many processes boot and migrate at once; then workers are replaced one by one under load while the verbs are installed anew. */
import { fileURLToPath } from "node:url";
import { startProgram, until } from "../../stack/program.ts";
import { backends } from "../../stack/stack.ts";
import type { ChaosCase } from "../harness/case.ts";
import { effectChain, effectFan } from "../harness/plans.ts";
import { countSteps } from "../harness/rows.ts";
import type { World } from "../harness/world.ts";

const main = fileURLToPath(new URL("../../../packages/store/src/migrations/main.ts", import.meta.url));

/** Resolves to how many of them changed the database. */
async function migrateAtOnce(url: string, count: number): Promise<number> {
  const env = { PATH: process.env["PATH"] ?? "", DATABASE_URL: url };
  const programs = Array.from({ length: count }, (_, at) =>
    startProgram({ name: `migration-${at}`, main, cwd: process.cwd(), env }),
  );
  const exits = await Promise.all(programs.map(({ exited }) => exited));
  const failed = programs[exits.findIndex((exit) => exit !== 0)];
  if (failed !== undefined) throw new Error(`${failed.name} failed:\n${failed.output()}`);
  return programs.filter((program) => program.output().includes("was brought to this version")).length;
}

/** An empty database beside the world's own, as on the first day of an installation. */
async function bootAtOnce(world: World, processes: number): Promise<void> {
  const { database } = world.stack;
  const url = new URL(database.url);
  const name = `${url.pathname.slice(1)}_new`;
  await database.execute(`create database ${name} owner baton_app`);
  try {
    url.pathname = `/${name}`;
    const changed = await migrateAtOnce(url.href, processes);
    world.faults.record("boot", `${processes} processes at once`);
    if (changed !== 1) throw new Error(`${changed} of ${processes} processes migrated the database, one is expected.`);
  } finally {
    await database.execute(`drop database if exists ${name} with (force)`);
  }
}

/** The mark of the verbs differs, as it does when a new version brings its own: with other types none is replaced in place. */
async function markAsOther(world: World, types: "same" | "other"): Promise<void> {
  const [{ mark } = { mark: "" }] = await world.stack.database.read<{ mark: string }>(
    "select obj_description('baton_v1'::regnamespace, 'pg_namespace') as mark",
  );
  const other = types === "same" ? mark.replace(/^verbs \w+/, "verbs another") : "verbs another, types another";
  await world.stack.database.execute(`comment on schema baton_v1 is '${other}'`);
}

export const deploy: ChaosCase<{ processes: number; rounds: number }> = {
  id: "deploy",
  backends,
  claims:
    "of 20 processes that boot at once one migrates; workers are replaced under load, verbs installed, and nothing fails",
  scale: { t: { processes: 20, rounds: 1 }, l: { processes: 20, rounds: 5 } },
  seconds: { t: 25, l: 120 },
  world: { workers: 2 },
  // Those that leave hand back what they do not finish; most finish.
  least: { recovered: 0 },
  async run(world, { processes, rounds }) {
    await bootAtOnce(world, processes);
    for (let round = 0; round < rounds; round++) {
      await world.createTasks(20, (index) => {
        const args = { before_ms: world.random.between(0, 200), after_ms: 200 };
        return index % 2 === 0 ? effectChain(8, args) : effectFan(8, args);
      });
      await until("steps run", async () => (await countSteps(world, "running")) > 0);
      const old = world.running();
      const types = world.random.between(0, 1) === 0 ? "same" : "other";
      await markAsOther(world, types);
      const [changed] = await Promise.all([migrateAtOnce(world.stack.database.url, 2), world.startWorker()]);
      world.faults.record("deploy", `round ${round + 1}: ${changed} migrations changed the verbs, ${types} types`);
      if (changed !== 1) throw new Error(`${changed} of 2 migrations installed the verbs, one is expected.`);
      await world.startWorker();
      for (const worker of old) {
        worker.kill("SIGTERM");
        const exit = await worker.exited;
        if (exit !== 0) throw new Error(`${worker.name} ended with ${exit}:\n${worker.output()}`);
      }
      await world.untilAllSettled();
    }
    const [counted] = await world.stack.database.read<{ failures: number; crashes: number }>(
      "select sum(failure_count)::int as failures, sum(crash_count)::int as crashes from baton.task_execution_step",
    );
    if (counted?.failures !== 0 || counted.crashes !== 0) {
      throw new Error(`${counted?.failures} failures and ${counted?.crashes} crashes were counted, none is expected.`);
    }
  },
};
