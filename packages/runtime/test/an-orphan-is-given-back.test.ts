import type { WakeUp } from "@baton/core/ports";
import { afterEach, beforeEach, expect, inject, test } from "vitest";
import { openInstallation } from "./installation.ts";
import type { Installation } from "./installation.ts";

const soon = { timeout: 20_000 };

let installation: Installation;
beforeEach(async () => {
  installation = await openInstallation(inject("postgresUrl"));
});
afterEach(async () => {
  await installation.close();
});

test("a step whose claim was answered to nobody is given back and performed, what is performed goes on", async () => {
  const lost: WakeUp[] = [];
  const runtime = await installation.openRuntime({
    takesNow: (_pool, wakeUp) => {
      const isFirst = lost.length === 0;
      if (isFirst) lost.push(wakeUp);
      return isFirst;
    },
  });
  const lives = await installation.startLives(runtime, "worker", { reportEveryMs: 1_000 });
  const orphan = await installation.createGated(runtime);
  await expect.poll(() => lost.length, soon).toBe(1);
  // The session holds the step from here on, and the executor knows nothing of it.
  for (const wakeUp of lost) await runtime.store.claimStep(wakeUp);
  const performed = await installation.createGated(runtime);
  await expect.poll(async () => (await installation.step(runtime, orphan)).attemptNo, soon).toBe(2);
  expect(installation.logged).toContainEqual({
    event: "orphans-released",
    fields: { sessionId: lives.sessionId, count: 1 },
  });
  installation.open();
  for (const ref of [orphan, performed]) {
    await expect.poll(async () => (await installation.step(runtime, ref)).state, soon).toBe("completed");
  }
  expect(await installation.step(runtime, orphan)).toMatchObject({ attemptNo: 2, failureCount: 0, crashCount: 0 });
  expect(await installation.step(runtime, performed)).toMatchObject({ attemptNo: 1 });
});
