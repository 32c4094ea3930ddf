import { spawn } from "node:child_process";
import { once } from "node:events";
import { type Store, openStore } from "@baton/store";
import { createTestDatabase, type TestDatabase } from "@baton/testing/databases";
import type { Session, SessionOptions, StopSignal } from "@baton/core/ports";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { claim, createTask, newId, step } from "./builders.ts";
import { startTcpProxy } from "@baton/testing/faults";

const patience = { timeout: 30_000 };

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase(inject("postgresUrl"));
});
afterAll(() => database?.drop());

const options: SessionOptions = {
  pools: ["default", "interactive"],
  slots: 3,
  tools: [],
  version: "test",
  role: "worker",
  beatMs: 300,
  leaseMs: 30_000,
};

async function openWorker(
  url: string,
  more: Partial<Parameters<Store["openSession"]>[0]> = {},
): Promise<{ store: Store; session: Session; errors: Error[] }> {
  const errors: Error[] = [];
  const store = await openStore({
    url,
    applicationName: "test",
    newId,
    onError: (error) => errors.push(error),
    onWakeUps: () => undefined,
  });
  return { store, session: await store.openSession({ ...options, ...more }), errors };
}

describe("a session", () => {
  it("hears with its beat what must stop, when it missed the notification", async () => {
    const stops: StopSignal[] = [];
    const { store, session } = await openWorker(database.url, { onStop: (signal) => stops.push(signal) });
    const a = newId();
    const ref = await createTask(store, [step("a", a)]);
    await claim(store, ref, a);
    await store.pauseTask(ref);
    await expect.poll(() => stops, patience).toContainEqual({ taskId: ref.taskId, reason: "pause" });
    await store.cancelTask(ref, {});
    await session.close();
    await store.close();
  });

  it("hears of stops by notification, and so does everybody who listens", async () => {
    const { store, session } = await openWorker(database.url);
    const stops: StopSignal[] = [];
    const subscription = await store.listenStops((signal) => stops.push(signal));
    const a = newId();
    const ref = await createTask(store, [step("a", a)]);
    await store.cancelTask(ref, {});
    await expect.poll(() => stops, patience).toEqual([{ taskId: ref.taskId, reason: "cancel" }]);
    await subscription.close();
    await session.close();
    await store.close();
  });

  it("counts its slots in each of its pools while it lives, and serves them", async () => {
    const { store, session } = await openWorker(database.url);
    expect(await store.liveSlots()).toEqual([
      { pool: "default", slots: 3 },
      { pool: "interactive", slots: 3 },
    ]);
    expect(await store.poolServed("interactive")).toBe(true);
    await expect(store.openSession(options)).rejects.toMatchObject({ code: "internal" });
    await session.close();
    expect(await store.liveSlots()).toEqual([]);
    expect(await store.poolServed("interactive")).toBe(false);
    // A closed session makes room for the next life.
    const next = await store.openSession(options);
    expect(next.sessionId).not.toBe(session.sessionId);
    await next.close();
    await store.close();
  });

  it("asks for its lease only when its thread can renew it, however long the thread took to start", async () => {
    const { store, session } = await openWorker(database.url);
    const [row] = await database.read<{ prepared: boolean }>(
      `select max(a.backend_start) < max(w.started_at) as prepared from baton.worker_session w, pg_stat_activity a
       where w.session_id = $1 and a.datname = current_database() and a.application_name = 'baton-beat'`,
      [session.sessionId],
    );
    expect(row?.prepared).toBe(true);
    await session.close();
    await store.close();
  });

  it("reports beats that fail, and is lost when none gets through in time; its close leaves the end to the reaper", async () => {
    const proxy = await startTcpProxy(database.url);
    const { store, session, errors } = await openWorker(proxy.url, { leaseMs: 2_000 });
    proxy.refuse();
    await expect.poll(() => session.lost.aborted, patience).toBe(true);
    expect(session.lost.reason).toMatchObject({
      code: "lease-lost",
      message: expect.stringContaining("could not be renewed in time"),
    });
    expect(errors.map(({ message }) => message)).toContainEqual(expect.stringMatching(/^A beat failed: /));
    await session.close();
    proxy.admit();
    await expect.poll(() => store.reapSessions().catch(() => undefined), patience).toMatchObject({ sessions: 1 });
    await store.close();
    await proxy.close();
  });
});

/** A process of its own, whose main thread blocks for ever right after it opened a session. */
async function blockedProcess(deadline: string) {
  const program = `
    const { openStore } = await import(${JSON.stringify(new URL("../src/index.ts", import.meta.url).href)});
    const { uuidv7 } = await import("@baton/core");
    const { randomBytes } = await import("node:crypto");
    let deadline;
    const store = await openStore({ url: process.env.URL_OF_THE_TEST, applicationName: "test", newId: () => uuidv7(Date.now(), randomBytes(10)),
      onError: () => undefined, onWakeUps: () => undefined });
    const session = await store.openSession({ ...${JSON.stringify(options)}, earliestDeadline: () => deadline });
    // The thread is told before anything that could block runs.
    await new Promise((resolve) => setTimeout(resolve, 1));
    deadline = ${deadline};
    session.attemptsChanged();
    session.attemptsChanged();
    await Promise.resolve();
    await Promise.resolve();
    process.stdout.write(session.sessionId, () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0));`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", program], {
    cwd: new URL("..", import.meta.url),
    env: { ...process.env, URL_OF_THE_TEST: database.url },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(child, "exit");
  const [sessionId] = (await once(child.stdout, "data")) as [Buffer];
  return { sessionId: sessionId.toString("utf8"), child, ended };
}

describe("a process whose main thread is blocked", () => {
  it("ends itself with SIGKILL when an attempt is past its deadline", async () => {
    const { ended } = await blockedProcess("Date.now() - 60_000");
    expect(await ended).toEqual([null, "SIGKILL"]);
  });

  it("keeps its lease while nothing is overdue, and ends itself when its session was ended by another", async () => {
    const { sessionId, child, ended } = await blockedProcess("undefined");
    expect(child.exitCode).toBeNull();
    await database.execute(
      "update baton.worker_session set ended_at = baton.clock(), end_reason = 'expired' where session_id = $1",
      [sessionId],
    );
    expect(await ended).toEqual([null, "SIGKILL"]);
  });
});

/** Two steps run in a process; the code of the first does not let go of the main thread. */
async function heldProcess(hold: string) {
  const { store, session } = await openWorker(database.url);
  const ids = [newId(), newId()];
  const refs = [
    await createTask(store, [step("held", ids[0] as string)]),
    await createTask(store, [step("beside", ids[1] as string)]),
  ];
  const program = `
    const { openStore } = await import(${JSON.stringify(new URL("../src/index.ts", import.meta.url).href)});
    const { uuidv7 } = await import("@baton/core");
    const { randomBytes } = await import("node:crypto");
    const { execSync } = await import("node:child_process");
    const store = await openStore({ url: process.env.URL_OF_THE_TEST, applicationName: "test", newId: () => uuidv7(Date.now(), randomBytes(10)),
      onError: () => undefined, onWakeUps: () => undefined });
    let claimed;
    const session = await store.openSession({ ...${JSON.stringify(options)}, earliestDeadline: () => claimed && Date.now() - 60_000,
      attemptNow: () => claimed && { ref: claimed.ref, attemptNo: claimed.attemptNo } });
    const wakeUps = ${JSON.stringify(refs.map((ref, at) => ({ ...ref, stepId: ids[at], dispatchNo: 1 })))};
    const claims = await Promise.all(wakeUps.map((wakeUp) => store.claimStep(wakeUp)));
    claimed = claims[0];
    session.attemptsChanged();
    await new Promise((resolve) => setTimeout(resolve, 1));
    function holdsTheMainThread() { ${hold} }
    holdsTheMainThread();`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", program], {
    cwd: new URL("..", import.meta.url),
    env: { ...process.env, URL_OF_THE_TEST: database.url },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString("utf8")));
  expect(await once(child, "close")).toEqual([null, "SIGKILL"]);
  const [held, beside] = await Promise.all(refs.map(async (ref) => (await store.listTaskSteps(ref, { limit: 1 }))[0]));
  const [trace] = (await store.listTaskTraces(refs[0] as { tenantId: string; taskId: string }, { limit: 100 })).filter(
    ({ type }) => type === "step-crashed",
  );
  await session.close();
  await store.close();
  return { held, beside, stderr, message: JSON.stringify(trace?.data ?? {}) };
}

describe("a process whose main thread is held by a step", () => {
  it.each([
    ["a loop", "for (;;);"],
    ["a regular expression", '/^(a+)+$/.test("a".repeat(60) + "b");'],
  ])("by %s: charges that step, says where it was, and gives back the one beside it", async (_what, hold) => {
    const { held, beside, message, stderr } = await heldProcess(hold);
    expect(held).toMatchObject({ state: "ready", crashCount: 1, failureCount: 0 });
    expect(beside).toMatchObject({ state: "ready", crashCount: 0, failureCount: 0 });
    expect(message).toMatch(/MainThreadBlocked.*at holdsTheMainThread/);
    expect(stderr).toContain("main-thread-blocked");
  });

  it("in native code, which cannot be asked: charges both, as after a crash", async () => {
    const { held, beside, message } = await heldProcess("execSync('sleep 60');");
    expect([held, beside]).toMatchObject([
      { state: "ready", crashCount: 1 },
      { state: "ready", crashCount: 1 },
    ]);
    expect(message).toContain("could not be asked");
  });
});

describe("live messages", () => {
  it("reach who listens and are replayed in order after a cursor, the newest within the limit", async () => {
    const { store, session } = await openWorker(database.url);
    const heard: string[] = [];
    const subscription = await store.live.listen("baton_live", {
      onPayload: (payload) => heard.push(payload),
      onLost: () => undefined,
      onBack: () => undefined,
    });
    await store.live.append(["a", "b", "a"], ["one", "two", "three"]);
    const all = await store.live.replay("a", undefined, 10);
    expect(all.map(({ payload }) => payload)).toEqual(["one", "three"]);
    expect(await store.live.replay("a", all[0]?.cursor, 10)).toEqual([all[1]]);
    expect(await store.live.replay("a", undefined, 1)).toEqual([all[1]]);
    await expect.poll(() => heard.length, patience).toBe(3);
    expect(heard[0]).toBe(`a\n${all[0]?.cursor}\none`);
    await subscription.close();
    await session.close();
    await store.close();
  });
});
