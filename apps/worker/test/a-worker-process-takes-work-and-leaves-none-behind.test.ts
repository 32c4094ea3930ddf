import { afterEach, beforeEach, describe, expect, inject, test } from "vitest";
import { openInstallation, runMain } from "./installation.ts";
import type { Installation } from "./installation.ts";

let installation: Installation;
beforeEach(async () => {
  installation = await openInstallation(inject("postgresUrl"));
});
afterEach(async () => {
  await installation.close();
});

const pidStep = (id: string, afterMs = 0, more: Record<string, unknown> = {}) => ({
  id,
  type: "tool",
  tool: "test.pid",
  arguments: { afterMs },
  ...more,
});

describe("a worker process", () => {
  test("performs a plan with tools of its own folder, and counts it on /metrics", async () => {
    const worker = await installation.startWorker();
    const ref = await installation.create([pidStep("a"), pidStep("b", 0, { depends_on: ["a"] })]);
    expect((await installation.until(ref, "completed", "failed")).state).toBe("completed");
    expect((await installation.steps(ref)).get("b")?.output).toBe(worker.pid);
    const { text } = await worker.get("/metrics");
    expect(text).toMatch(/^baton_attempts_total\{service="worker",type="tool",outcome="completed"\} 2$/m);
    for (const stage of ["claim", "prepare", "perform", "encode", "settle"]) expect(text).toContain(`stage="${stage}"`);
    expect((await worker.get("/health/live")).status).toBe(200);
    expect((await worker.get("/health/ready")).status).toBe(200);
    expect((await worker.get("/elsewhere")).status).toBe(404);
  });

  test("sends every step through the queue when continuation is off", async () => {
    await installation.startWorker({ BATON_CONTINUATION: "off" });
    const ref = await installation.create([pidStep("a"), pidStep("b", 0, { depends_on: ["a"] })]);
    expect((await installation.until(ref, "completed", "failed")).state).toBe("completed");
    const traces = await installation.store.listTaskTraces(ref, { afterNo: 0, limit: 100 });
    const started = traces.filter(({ type }) => type === "step-started");
    expect(started.map(({ data }) => (data as { continued: boolean }).continued)).toEqual([false, false]);
  });

  test("that is killed mid-step is followed by another one, and the task completes", async () => {
    const first = await installation.startWorker();
    const ref = await installation.create([pidStep("a", 60_000, { retry: { max_attempts: 1 } })]);
    await expect.poll(async () => (await installation.steps(ref)).get("a")?.state, { timeout: 20_000 }).toBe("running");
    const second = await installation.startWorker();
    first.kill("SIGKILL");
    await expect.poll(async () => (await installation.steps(ref)).get("a")?.attemptNo, { timeout: 30_000 }).toBe(2);
    const step = (await installation.steps(ref)).get("a");
    expect(step).toMatchObject({ state: "running", crashCount: 1, failureCount: 0, sessionId: expect.any(String) });
    await installation.store.cancelTask(ref, {});
    // Within two seconds the abort has freed the slot.
    await expect
      .poll(async () => (await second.get("/metrics")).text, { timeout: 20_000 })
      .toMatch(/baton_slots_busy\{service="worker",pool="default"\} 0/);
  });

  test("on SIGTERM hands back what does not end within the grace, and exits 0", async () => {
    const first = await installation.startWorker({ BATON_GRACE_MS: "200" });
    const ref = await installation.create([pidStep("a", 60_000)]);
    await expect.poll(async () => (await installation.steps(ref)).get("a")?.state, { timeout: 20_000 }).toBe("running");
    first.kill("SIGTERM");
    expect(await first.ended).toEqual({ code: 0, signal: null });
    expect((await installation.steps(ref)).get("a")).toMatchObject({ state: "ready", crashCount: 0, failureCount: 0 });
  });

  test("with DISABLE_TASK_WORKER takes nothing and says so, and tasks wait for another", async () => {
    const disabled = await installation.startWorker({ DISABLE_TASK_WORKER: "1" });
    const ref = await installation.create([pidStep("a")]);
    const ready = await disabled.get("/health/ready");
    expect({ status: ready.status, body: JSON.parse(ready.text) as unknown }).toEqual({
      status: 503,
      body: { status: "unavailable", reason: "worker-disabled", loopLagMs: expect.any(Number) },
    });
    expect((await disabled.get("/health/live")).status).toBe(200);
    const worker = await installation.startWorker();
    await installation.until(ref, "completed");
    expect((await installation.steps(ref)).get("a")?.output).toBe(worker.pid);
  });

  test("that stood still for longer than its lease commits nothing, begins a new session and works again", async () => {
    const sleeper = await installation.startWorker();
    const ref = await installation.create([pidStep("a", 12_000)]);
    await expect.poll(async () => (await installation.steps(ref)).get("a")?.state, { timeout: 20_000 }).toBe("running");
    const other = await installation.startWorker();
    sleeper.kill("SIGSTOP");
    await expect.poll(async () => (await installation.steps(ref)).get("a")?.attemptNo, { timeout: 30_000 }).toBe(2);
    sleeper.kill("SIGCONT");
    expect((await installation.until(ref, "completed", "failed")).state).toBe("completed");
    expect((await installation.steps(ref)).get("a")).toMatchObject({ output: other.pid, attemptNo: 2, crashCount: 1 });
    await expect
      .poll(() => sleeper.lines.filter(({ event }) => event === "session-open").length, { timeout: 20_000 })
      .toBe(2);
    other.kill("SIGKILL");
    const next = await installation.create([pidStep("b")]);
    await installation.until(next, "completed");
    expect((await installation.steps(next)).get("b")?.output).toBe(sleeper.pid);
  });

  test("whose event loop is blocked past a deadline is ended, and the step runs elsewhere", async () => {
    const first = await installation.startWorker();
    const ref = await installation.create([
      { id: "a", type: "tool", tool: "test.spin", arguments: { ms: 60_000 }, timeout_ms: 2_000 },
    ]);
    await expect.poll(async () => (await installation.steps(ref)).get("a")?.state, { timeout: 20_000 }).toBe("running");
    const second = await installation.startWorker();
    expect(await first.ended).toEqual({ code: null, signal: "SIGKILL" });
    await expect.poll(async () => (await installation.steps(ref)).get("a")?.crashCount, { timeout: 20_000 }).toBe(1);
    expect((await second.get("/health/ready")).status).toBe(200);
  });
});

describe("the program", () => {
  test("without a database names the setting and exits 78", async () => {
    const { code, output } = await runMain({});
    expect(code).toBe(78);
    expect(output).toContain("DATABASE_URL");
  });

  test("reports every wrong setting at once", async () => {
    const { code, output } = await runMain({ DATABASE_URL: "nowhere", BATON_CONCURRENCY: "0" });
    expect(code).toBe(78);
    expect(output).toMatch(/databaseUrl \(from DATABASE_URL\)[\s\S]*worker\.concurrency \(from BATON_CONCURRENCY\)/);
  });
});
