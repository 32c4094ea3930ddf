/** Redis is emptied under load, again and again: the queue's messages, its locks and its counts are gone. */
import { setTimeout as delay } from "node:timers/promises";
import type { ChaosCase } from "../harness/case.ts";
import { dispatchedNow, longestGapAfterMs, type Moment } from "../harness/delays.ts";
import { effectChain } from "../harness/plans.ts";

const promisedMs = 10_000;

export const flush: ChaosCase<{ tasks: number; flushes: number }> = {
  id: "flush",
  backends: ["redis"],
  claims:
    "Redis emptied under load: nothing is lost or done twice, and what waited on the queue moves again within 10 s",
  scale: { t: { tasks: 40, flushes: 2 }, l: { tasks: 1_000, flushes: 10 } },
  seconds: { t: 15, l: 90 },
  async run(world, { tasks, flushes }) {
    const { stack, faults, slots, random, slack } = world;
    // Every flush finds messages waiting: there is more work than slots for all of the time.
    const stepMs = Math.ceil((flushes * 4_000 * 2 * slots) / (tasks * 3));
    await world.createTasks(tasks, () => effectChain(3, { after_ms: random.between(stepMs / 2, stepMs * 1.5) }));
    const moments: Moment[] = [];
    for (let count = 0; count < flushes; count++) {
      await delay(random.between(500, 3_000));
      await stack.redis?.flushAll();
      const moment = await dispatchedNow(world);
      faults.record("flush", `FLUSHALL while ${moment.stepIds.length} messages waited`);
      moments.push(moment);
      if (count + 1 < flushes) await delay(random.between(2_000, 4_000));
    }
    await world.untilAllSettled();
    for (const moment of moments) {
      const gapMs = await longestGapAfterMs(world, moment);
      if (gapMs > promisedMs * slack)
        throw new Error(`After a flush a step that had been dispatched waited ${gapMs} ms.`);
    }
  },
};
