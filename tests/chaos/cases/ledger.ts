/** Workers die between intent and result while a payment service hangs, fails and resets: nobody is charged twice. */
import { defaultTenantId } from "@baton/core";
import type { PlanSpec } from "@baton/core/plan";
import { until } from "../../stack/program.ts";
import { backends } from "../../stack/stack.ts";
import type { ChaosCase } from "../harness/case.ts";
import { type Misbehaviour, type Payments, startPayments } from "../harness/payments.ts";
import { type Person, startPerson } from "../harness/person.ts";
import type { World } from "../harness/world.ts";
import type { FailPointPlan } from "../programs/fail-points.ts";

const mix: readonly (readonly [tool: string, first: Misbehaviour])[] = [
  ...(["none", "fail-after", "reset-after", "hang-after", "busy"] as const).map(
    (first) => ["pay.charge", first] as const,
  ),
  ...(["none", "none", "fail-after", "reset-after", "hang-after"] as const).map(
    (first) => ["pay.wire", first] as const,
  ),
  ...(["fail-before", "reset-before", "hang-before", "busy"] as const).map((first) => ["pay.wire", first] as const),
  ...(["none", "fail-after", "reset-before", "hang-after"] as const).map((first) => ["pay.book", first] as const),
];
const declined = ["pay.wire", "declined"] as const;

/** Longer than a good answer takes, shorter than patience with one that hangs. */
const timeoutMs = 2_000;
const slowMs = 4_000;
/** Until a worker has started and met its fail-point. */
const patienceMs = 180_000;

const paying = (url: string, [tool, first]: (typeof mix)[number]): PlanSpec => ({
  steps: [
    {
      id: "pay",
      type: "tool",
      tool,
      arguments: { url, first, slow_ms: slowMs },
      timeout_ms: first.startsWith("hang") || first === "slow" ? timeoutMs : 30_000,
      retry: { max_attempts: 5, base_ms: 50, cap_ms: 500 },
    },
    { id: "note", type: "tool", tool: "chaos.effect", arguments: {}, depends_on: ["pay"] },
  ],
});

/** Workers one after the other that kill themselves between an intent and its result. */
async function killBetween(world: World, kills: { left: number }): Promise<void> {
  while (kills.left > 0) {
    kills.left -= 1;
    const at = world.random.pick(["before-effect", "after-effect"] as const);
    const nth = world.random.between(1, 3);
    const failPoints: readonly FailPointPlan[] = [{ at, nth, signal: "SIGKILL" }];
    // It may be gone before anybody has seen it ready.
    const worker = await world.launchWorker({ failPoints });
    await until(
      `${worker.name} kills itself ${at}`,
      async () => worker.process.signalCode === "SIGKILL",
      worker,
      patienceMs,
    );
    if (!worker.output().includes(`fail-point ${at}: SIGKILL`)) throw new Error(`${worker.name} died elsewhere.`);
    world.faults.record("kill between intent and result", `${worker.name} ${at}`, world.slots);
  }
}

/** Calls that end after their attempt: of held steps, which go on by themselves, and of cancelled tasks. */
async function endLate(world: World, payments: Payments, person: Person, count: number): Promise<void> {
  const slow = ["pay.wire", "slow"] as const;
  const before = (await payments.entries()).length;
  const waiting = await world.createTasks(count, () => paying(payments.url, slow));
  const leaving = await world.createTasks(count, () => paying(payments.url, slow), "cancelled");
  for (const id of [...waiting, ...leaving]) person.ignored.add(id);
  await until(
    "the slow calls are out",
    async () => (await payments.entries()).slice(before).filter(({ event }) => event === "charged").length >= 2 * count,
  );
  for (const id of leaving) {
    await world.stack.client.cancelTask(id, "while its call is out");
    world.faults.record("cancel", `task ${id}, while its call is out`);
  }
  await world.untilAllSettled();
  for (const taskId of [...waiting, ...leaving]) {
    const ref = { tenantId: defaultTenantId, taskId };
    await until(`the late result of ${taskId} is kept`, async () => {
      const [call] = await world.stack.store.listEffects(ref, { limit: 1 });
      return call?.state === "succeeded" && call.late && !call.resolved;
    });
  }
}

async function judge(world: World, payments: Payments, { notDone, findings }: Person): Promise<readonly string[]> {
  const found = [...findings];
  const byKey = Map.groupBy(await payments.entries(), ({ key }) => key);
  const paid = new Set<string>();
  for (const taskId of world.tasks.keys()) {
    const ref = { tenantId: defaultTenantId, taskId };
    for (const call of await world.stack.store.listEffects(ref, { limit: 100 })) {
      if (!call.tool.startsWith("pay.")) continue;
      const key = call.idempotencyKey;
      paid.add(key);
      const count = (event: string): number => byKey.get(key)?.filter((entry) => entry.event === event).length ?? 0;
      const charged = count("charged");
      if (charged !== (call.state === "succeeded" ? 1 : 0))
        found.push(`${call.tool} ${key}: charged ${charged} times, and its call is ${call.state} in the ledger`);
      const requests = charged + count("ignored");
      if (call.tool === "pay.wire" && requests > 1 + (notDone.get(key) ?? 0))
        found.push(
          `${call.tool} ${key}: sent ${requests} times, and ${notDone.get(key) ?? 0} times by a person's word`,
        );
    }
  }
  for (const key of byKey.keys())
    if (!paid.has(key)) found.push(`the service knows a key that the ledger does not: ${key}`);
  return found;
}

export const ledger: ChaosCase<{ tasks: number; kills: number; late: number; words: number }> = {
  id: "ledger",
  backends,
  claims:
    "a payment service that hangs, fails and resets after charging, workers killed between intent and result: nobody is charged twice, nothing irreversible is repeated without a person's word, and every stuck task says why",
  scale: { t: { tasks: 18, kills: 4, late: 1, words: 1 }, l: { tasks: 200, kills: 30, late: 10, words: 5 } },
  seconds: { t: 20, l: 120 },
  world: { workers: 0, slots: 3 },
  async run(world, { tasks, kills, late, words }) {
    const payments = await startPayments();
    const person = startPerson(world, payments);
    try {
      await world.createTasks(tasks, (index) => paying(payments.url, mix[index % mix.length] as (typeof mix)[number]));
      await world.createTasks(Math.ceil(tasks / 20), () => paying(payments.url, declined), "failed");
      const left = { left: kills };
      await Promise.race([Promise.all([killBetween(world, left), killBetween(world, left)]), person.working]);
      await Promise.all([world.startWorker(), world.startWorker()]);
      await Promise.race([world.untilAllSettled(), person.working]);
      await endLate(world, payments, person, late);
      await person.leave();
      const found = [...(await judge(world, payments, person))];
      const said = [...person.notDone.values()].reduce((sum, count) => sum + count, 0);
      if (person.happened.size < words || said < words)
        found.push(
          `the person said ${person.happened.size} times that a call took place, ${said} times that it did not`,
        );
      if (found.length > 0) throw new Error(found.join("\n"));
    } finally {
      await person.leave().catch(() => undefined);
      await payments.close();
    }
  },
};
