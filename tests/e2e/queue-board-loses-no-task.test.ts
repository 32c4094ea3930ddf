/** What a person does to messages in Bull Board: the queue only wakes workers, so no task is lost by it. */
import { createHash } from "node:crypto";
import { defaultTenantId } from "@baton/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { demoGoal, plantWorkspace, type Workspace } from "./fixtures.ts";
import { expectRowsToEqualTraces } from "./oracle.ts";
import { backends, newId, type Stack, startStack, unavailable, until } from "./stack.ts";

interface BoardQueue {
  readonly name: string;
  readonly counts: Readonly<Record<string, number>>;
  /** The board's own word for messages. */
  readonly "jobs": readonly { readonly id: string }[];
}

for (const backend of backends) {
  const reason = unavailable(backend);
  describe.skipIf(reason !== undefined)(`over ${backend}${reason === undefined ? "" : ` [skipped: ${reason}]`}`, () => {
    let stack: Stack;
    let workspace: Workspace;
    beforeAll(async () => {
      workspace = await plantWorkspace(20);
      stack = await startStack({
        backend,
        workers: 1,
        env: { BATON_OFFLINE_LATENCY_MS: "400", BATON_CONCURRENCY: "2", BATON_WORKSPACES: workspace.folder },
      });
    });
    afterAll(async () => {
      await stack?.stop();
      await workspace?.remove();
    });
    const board = async (status: string): Promise<BoardQueue> => {
      const page = await stack.call(
        `/admin/queues/api/queues?activeQueue=baton-default&status=${status}&page=1&jobsPerPage=20`,
      );
      const { queues } = (await page.json()) as { queues: BoardQueue[] };
      const queue = queues.find((each) => each.name.endsWith("default"));
      if (queue === undefined) throw new Error(`The board shows ${queues.map((each) => each.name).join(", ")}.`);
      return queue;
    };
    const act = (path: string) => stack.call(`/admin/queues/api${path}`, { method: "PUT" });

    it("remove, retry, empty and obliterate: the messages are gone, the steps are dispatched again, the task completes", async () => {
      const { id } = await stack.client.createTask({
        goal: demoGoal(workspace.folder),
        settings: { workspace: workspace.folder },
      });
      await until("messages wait", async () => ((await board("waiting")).counts["waiting"] ?? 0) >= 5);
      const queue = await board("waiting");
      const removed = queue.jobs.slice(0, 2).map((each) => each.id);
      for (const messageId of removed)
        expect((await act(`/queues/${queue.name}/${encodeURIComponent(messageId)}/clean`)).status).toBeLessThan(300);
      const done = (await board("completed")).jobs[0]?.id;
      // A completed message that is run again finds its step settled.
      if (done !== undefined) await act(`/queues/${queue.name}/${encodeURIComponent(done)}/retry/completed`);
      expect((await act(`/queues/${queue.name}/empty`)).status).toBeLessThan(300);
      await act(`/queues/${queue.name}/obliterate`);
      await until(
        "the task completes",
        async () => (await stack.client.getTask(id)).state === "completed",
        undefined,
        120_000,
      );
      const traces = await stack.store.listTaskTraces({ tenantId: defaultTenantId, taskId: id }, { limit: 10_000 });
      expect(traces.some((trace) => trace.type === "step-redispatched")).toBe(true);
      await expectRowsToEqualTraces(stack.store, { tenantId: defaultTenantId, taskId: id });
    });

    it("is read-only for a key without the scope admin, and closed without a key", async () => {
      const key = `bk_${newId()}`;
      const hash = createHash("sha256").update(key).digest("hex");
      await stack.store.createApiKey({
        tenantId: defaultTenantId,
        keyId: newId(),
        name: "reader",
        hash,
        scopes: ["read"],
      });
      const headers = { authorization: `Bearer ${key}` };
      const queue = await board("completed");
      expect((await fetch(`${stack.url}/admin/queues/api/queues?page=1`, { headers })).status).toBe(200);
      expect(
        (await fetch(`${stack.url}/admin/queues/api/queues/${queue.name}/empty`, { method: "PUT", headers })).status,
      ).toBe(403);
      expect((await fetch(`${stack.url}/admin/queues/api/queues?page=1`, { redirect: "manual" })).status).not.toBe(200);
    });

    it("a map of 10,000 items runs to its end and joins in order", async () => {
      // Two slots would take minutes; the shipped default does not.
      await stack.startWorker({ BATON_CONCURRENCY: "50" });
      const { id } = await stack.client.createTask({
        plan: {
          steps: [
            {
              id: "all",
              type: "map",
              over: Array.from({ length: 10_000 }, (_, index) => index),
              concurrency: 200,
              step: {
                type: "tool",
                tool: "text.search",
                arguments: { text: { $cel: "string(int(item))" }, query: "7" },
              },
            },
          ],
          result: { $cel: "size(steps.all.output.filter(x, size(x.matches) > 0))" },
        },
      });
      await until(
        "the map ends",
        async () => (await stack.client.getTask(id)).finishedAt !== undefined,
        undefined,
        400_000,
      );
      const withSeven = Array.from({ length: 10_000 }, (_, index) => String(index)).filter((text) =>
        text.includes("7"),
      ).length;
      expect(await stack.client.getTask(id)).toMatchObject({
        state: "completed",
        totalSteps: 10_001,
        settledSteps: 10_001,
        result: withSeven,
      });
    }, 500_000);
  });
}
