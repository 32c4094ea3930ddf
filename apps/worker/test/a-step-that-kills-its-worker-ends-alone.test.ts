import { afterEach, beforeEach, describe, expect, inject, test } from "vitest";
import { openInstallation } from "./installation.ts";
import type { Installation, WorkerProcess } from "./installation.ts";

let installation: Installation;
beforeEach(async () => {
  installation = await openInstallation(inject("postgresUrl"));
});
afterEach(async () => {
  await installation.close();
});

const poison = (how: string, more: Record<string, unknown> = {}) => ({
  id: "poison",
  type: "tool",
  tool: "test.poison",
  arguments: { how },
  retry: { max_attempts: 1 },
  ...more,
});
const neighbour = (id: string, afterMs: number) => ({ id, type: "tool", tool: "test.pid", arguments: { afterMs } });
const env = { NODE_OPTIONS: "--max-old-space-size=96" };

/** Three workers start and two leases run out, on a machine that is busy with other tests. */
const patienceMs = 150_000;

/** As a supervisor does: whenever the worker has died, the next one starts. Resolves to how many there were. */
async function superviseUntil(settled: Promise<unknown>): Promise<readonly WorkerProcess[]> {
  const workers: WorkerProcess[] = [];
  let isSettled = false;
  settled.then(
    () => (isSettled = true),
    () => (isSettled = true),
  );
  while (!isSettled) {
    const worker = await installation.startWorker(env);
    workers.push(worker);
    await Promise.race([worker.ended, settled.catch(() => undefined)]);
  }
  await settled;
  return workers;
}

describe("a step that ends its process", () => {
  test.each([
    ["kill", /was ended by SIGKILL/],
    ["memory", /was ended by SIGABRT.*heap/s],
  ])(
    "by %s: is a dead letter at the third, alone in its process; what runs beside it completes and loses no attempt to it",
    async (how, last) => {
      const refs = await Promise.all([
        installation.create([poison(how)]),
        installation.create([neighbour("a", 6_000)]),
        installation.create([neighbour("b", 6_000)]),
      ]);
      const [poisoned, ...others] = refs;
      if (poisoned === undefined) throw new Error("No task was created.");
      const settled = Promise.all([
        installation.until(poisoned, "failed"),
        ...others.map((ref) => installation.until(ref, "completed")),
      ]);
      const workers = await superviseUntil(settled);
      const step = (await installation.steps(poisoned)).get("poison");
      expect(step).toMatchObject({ state: "failed", crashCount: 3, failureCount: 0, error: { code: "worker-crash" } });
      const causes = step?.error?.causes?.map(({ message }) => message) ?? [];
      expect(causes[0]).toMatch(last);
      expect(causes.slice(1)).toMatchObject(
        [/stopped renewing/, /stopped renewing/].map((text) => expect.stringMatching(text)),
      );
      // Two died before anybody could know; the third death was the process's own.
      expect(workers).toHaveLength(3);
      for (const ref of others) {
        const [own] = (await installation.steps(ref)).values();
        expect(own).toMatchObject({ state: "completed", crashCount: 2 });
      }
      const traces = await installation.store.listTaskTraces(poisoned, { limit: 100 });
      expect(traces.map(({ type }) => type)).toContain("attempt-isolated");
      expect((await workers[2]?.get("/metrics"))?.text).toMatch(/baton_isolated_attempts_total\{.*end="died"\} 1/);
    },
  );
});
