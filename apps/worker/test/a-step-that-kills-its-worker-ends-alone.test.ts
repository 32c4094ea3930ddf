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

const tool = (id: string, name: string, args: Record<string, unknown>) => ({
  id,
  type: "tool",
  tool: name,
  arguments: args,
  retry: { max_attempts: 1 },
});
/** Three workers start and two leases run out, on a machine that is busy with other tests. */
const patienceMs = 150_000;

/** As a supervisor does: whenever the worker has died, the next one starts. Resolves to the last one, and how many there were. */
async function superviseUntil(isSettled: () => Promise<boolean>): Promise<{ last: WorkerProcess; count: number }> {
  const giveUpAt = Date.now() + patienceMs;
  for (let count = 1; ; count++) {
    // A worker may die before it has said that it started.
    const worker = await installation.startWorker({ NODE_OPTIONS: "--max-old-space-size=96" }).catch(() => undefined);
    let isGone = worker === undefined;
    void worker?.ended.then(() => (isGone = true));
    while (!isGone) {
      if (worker !== undefined && (await isSettled())) return { last: worker, count };
      if (Date.now() > giveUpAt) throw new Error(`Not within ${patienceMs} ms.`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

describe("a step that ends its process", () => {
  test.each([
    ["kill", "was ended by SIGKILL"],
    ["memory", "heap out of memory"],
  ])(
    "by %s: is a dead letter at the third, alone in its process; what runs beside it completes",
    async (how, last) => {
      const refs = await Promise.all([
        installation.create([tool("poison", "test.poison", { how })]),
        installation.create([tool("beside", "test.pid", { afterMs: 6_000 })]),
        installation.create([tool("beside", "test.pid", { afterMs: 6_000 })]),
      ]);
      const states = async () =>
        (await Promise.all(refs.map((ref) => installation.store.getTask(ref)))).map((task) => task?.state);
      const workers = await superviseUntil(async () =>
        (await states()).every((state) => state !== "running" && state !== "pending"),
      );
      expect(await states()).toEqual(["failed", "completed", "completed"]);
      const [[poisoned] = [], ...besides] = await Promise.all(
        refs.map(async (ref) => [...(await installation.steps(ref)).values()]),
      );
      expect(poisoned).toMatchObject({
        crashCount: 3,
        failureCount: 0,
        error: {
          code: "worker-crash",
          causes: [
            { name: "ProcessDied", message: expect.stringContaining(last) },
            { name: "WorkerDied" },
            { name: "WorkerDied" },
          ],
        },
      });
      // Two died before anybody could know; the third death was the process's own.
      expect(workers.count).toBe(3);
      // A worker whose memory runs out is sometimes blocked for so long that its thread finds the guilty step and hands
      // the others back uncharged.
      for (const [beside] of besides) {
        expect(beside?.failureCount).toBe(0);
        expect(beside?.crashCount).toBeLessThanOrEqual(2);
      }
      const alone = besides.filter(([beside]) => beside?.crashCount === 2).length;
      const [ref] = refs;
      if (ref === undefined) throw new Error("No task was created.");
      const traces = await installation.store.listTaskTraces(ref, { limit: 100 });
      expect(traces.map(({ type }) => type)).toContain("attempt-isolated");
      const { text } = await workers.last.get("/metrics");
      expect(text).toMatch(/baton_isolated_attempts_total\{[^}]*end="died"\} 1/);
      const answered = /baton_isolated_attempts_total\{[^}]*end="answered"\} (\d+)/.exec(text)?.[1] ?? "0";
      expect(Number(answered)).toBe(alone);
    },
    patienceMs + 30_000,
  );
});
