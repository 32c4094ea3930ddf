import type { SessionOptions } from "@baton/core/ports";
import type { Store } from "@baton/store";
import { afterEach, beforeEach, describe, expect, inject, test } from "vitest";
import type { Lives } from "../src/index.ts";
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

describe.each(["worker", "api"] as const)("a process of the role %s", (role: SessionOptions["role"]) => {
  test("whose session was ended commits nothing of it, begins a new one and performs the step again", async () => {
    const runtime = await installation.openRuntime();
    const lives = await installation.startLives(runtime, role);
    const first = lives.sessionId;
    const ref = await installation.createGated(runtime);
    await expect.poll(() => lives.attempts().length, soon).toBe(1);
    await installation.execute("update baton.worker_session set ended_at = baton.clock(), end_reason = 'expired'");
    await expect.poll(() => lives.sessionId !== undefined && lives.sessionId !== first, soon).toBe(true);
    await expect.poll(async () => (await installation.step(runtime, ref)).attemptNo, soon).toBe(2);
    installation.open();
    await expect.poll(async () => (await installation.step(runtime, ref)).state, soon).toBe("completed");
    expect(await installation.step(runtime, ref)).toMatchObject({ attemptNo: 2, crashCount: 1, output: "through" });
    const opened = installation.logged.filter(({ event }) => event === "session-open");
    expect(opened.map(({ fields }) => fields)).toMatchObject([
      { role, sessionId: first },
      { role, sessionId: lives.sessionId },
    ]);
  });

  test("tells its session the earliest deadline of what it performs", async () => {
    const runtime = await installation.openRuntime();
    let earliest: (() => number | undefined) | undefined;
    const store: Store = Object.create(runtime.store, {
      openSession: {
        value: (options: Parameters<Store["openSession"]>[0]) => {
          earliest = options.earliestDeadline;
          return runtime.store.openSession(options);
        },
      },
    });
    const lives = await installation.startLives(runtime, role, { store });
    expect(earliest?.()).toBeUndefined();
    await installation.createGated(runtime, 50_000);
    await installation.createGated(runtime, 40_000);
    await expect.poll(() => lives.attempts().length, soon).toBe(2);
    expect(earliest?.()).toBe(Math.min(...lives.attempts().map(({ deadlineAt }) => deadlineAt)));
    installation.open();
    await expect.poll(() => earliest?.(), soon).toBeUndefined();
  });
});

describe("a wake-up that its process takes at once", () => {
  test("needs no queue, and beyond the free slots goes to it", async () => {
    let taken = 0;
    let lives: Lives | undefined;
    const runtime = await installation.openRuntime({
      takesNow: (_pool, wakeUp) => {
        const took = lives?.take(wakeUp) === true;
        if (took) taken += 1;
        return took;
      },
    });
    lives = await installation.startLives(runtime, "api");
    const refs = [];
    for (let no = 0; no < 6; no++) refs.push(await installation.createGated(runtime));
    await expect.poll(() => lives?.attempts().length, soon).toBe(6);
    expect(taken).toBe(4);
    installation.open();
    for (const ref of refs) {
      await expect.poll(async () => (await installation.step(runtime, ref)).state, soon).toBe("completed");
    }
  });
});

describe("stopping", () => {
  test("hands back what does not end within the grace, and takes nothing more", async () => {
    const runtime = await installation.openRuntime();
    const lives = await installation.startLives(runtime, "api");
    const ref = await installation.createGated(runtime);
    await expect.poll(() => lives.attempts().length, soon).toBe(1);
    await lives.stop(0);
    expect(await installation.step(runtime, ref)).toMatchObject({ state: "ready", crashCount: 0, failureCount: 0 });
    const { tenantId, taskId, stepId } = ref;
    expect(lives.take({ tenantId, taskId, stepId, dispatchNo: 9 })).toBe(false);
  });
});
