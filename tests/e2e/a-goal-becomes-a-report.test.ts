import { readFile } from "node:fs/promises";
import type { Task } from "@baton/contracts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { defaultTenantId } from "@baton/core";
import { demoGoal, plantWorkspace, type Workspace } from "./fixtures.ts";
import { expectRowsToEqualTraces } from "./oracle.ts";
import { backends, type Stack, startStack, unavailable, until } from "./stack.ts";

for (const backend of backends) {
  const reason = unavailable(backend);
  describe.skipIf(reason !== undefined)(
    `a goal over ${backend}${reason === undefined ? "" : ` [skipped: ${reason}]`}`,
    () => {
      let stack: Stack;
      let workspace: Workspace;
      beforeAll(async () => {
        workspace = await plantWorkspace(8);
        stack = await startStack({
          backend,
          workers: 2,
          env: { BATON_OFFLINE_LATENCY_MS: "250", BATON_CONCURRENCY: "3", BATON_WORKSPACES: workspace.folder },
        });
      });
      afterAll(async () => {
        await stack?.stop();
        await workspace?.remove();
      });

      const settled = async (taskId: string): Promise<Task> => {
        const task = await (async () => {
          let last: Task | undefined;
          await until(`task ${taskId} settles`, async () => {
            last = await stack.client.getTask(taskId);
            return ["completed", "failed", "cancelled"].includes(last.state);
          });
          return last as unknown as Task;
        })();
        expect(task.lastError ?? null, stack.logs()).toBeNull();
        await expectRowsToEqualTraces(stack.store, { tenantId: defaultTenantId, taskId });
        return task;
      };

      it("turns a goal into a plan that names no file, runs it on two processes at once, and writes the report", async () => {
        const { id } = await stack.client.createTask({
          goal: demoGoal(workspace.folder),
          settings: { workspace: workspace.folder },
        });
        const task = await settled(id);
        expect(task).toMatchObject({ state: "completed", progress: 100, offline: true });

        const steps = [];
        for await (const step of stack.client.steps(id)) steps.push(step);
        const plan = steps.filter((step) => step.kind === "user" && step.parentStepId === undefined);
        expect(plan.length).toBeGreaterThan(2);
        expect(JSON.stringify(plan.map((step) => step.description))).not.toContain("file-00");

        const items = steps.filter((step) => step.parentStepId !== undefined);
        expect(items.length).toBeGreaterThanOrEqual(8);
        const byWorker = Map.groupBy(items, (step) => step.worker);
        expect([...byWorker.values()].filter((done) => done.length >= 2).length).toBeGreaterThanOrEqual(2);
        const [one, two] = [...byWorker.values()];
        const overlap = one?.some((a) =>
          two?.some((b) => at(a.startedAt) < at(b.finishedAt) && at(b.startedAt) < at(a.finishedAt)),
        );
        expect(overlap).toBe(true);

        const { artifacts } = await stack.client.request("listArtifacts", { params: { id } });
        expect(artifacts).toHaveLength(1);
        const report = new TextDecoder().decode(
          (await stack.client.downloadArtifact(id, artifacts[0]?.id as string)).content,
        );
        expect(report).toContain("[offline model]");
        for (const decision of workspace.decisions) expect(report).toContain(decision);
      });

      it("plans and performs the goal that the README posts, without a model", async () => {
        const readme = await readFile(new URL("../../README.md", import.meta.url), "utf8");
        const goal = /-d '\{"goal": "([^"]+)"\}'/.exec(readme)?.[1];
        const posted = await stack.call("/api/chat/orchestrate", { json: { goal } });
        const answer = (await posted.json()) as { taskId: string; strategy: { totalSteps: number } };
        expect(answer.strategy.totalSteps, JSON.stringify(answer)).toBeGreaterThan(0);
        expect(await settled(answer.taskId)).toMatchObject({ state: "completed", offline: true });
      });

      it("runs an explicit plan with conditions, a map and a join", async () => {
        const { id } = await stack.client.createTask({
          plan: {
            steps: [
              { id: "now", type: "tool", tool: "clock.now" },
              {
                id: "never",
                type: "tool",
                tool: "clock.now",
                depends_on: [{ step: "now", when: { $cel: "steps.now.output.unixMs < 0" } }],
              },
              {
                id: "numbers",
                type: "map",
                over: [1, 2, 3, 4, 5],
                concurrency: 2,
                step: {
                  type: "tool",
                  tool: "text.search",
                  arguments: { text: { $cel: "string(int(item))" }, query: "3" },
                },
              },
              { id: "saved", type: "checkpoint", depends_on: ["numbers"] },
              {
                id: "report",
                type: "tool",
                tool: "artifact.write",
                depends_on: ["numbers", "saved"],
                arguments: { name: "numbers.json", content: { $cel: "json(steps.numbers.output)" } },
              },
            ],
            result: { $cel: "steps.numbers.output.filter(x, size(x.matches) > 0).size()" },
          },
        });
        const task = await settled(id);
        expect(task).toMatchObject({ state: "completed", result: 1, totalSteps: 10, settledSteps: 10, offline: false });
        const never = (await stack.store.listTaskSteps({ tenantId: defaultTenantId, taskId: id }, { limit: 100 })).find(
          (step) => step.key === "never",
        );
        expect(never?.state).toBe("skipped");
      });

      it("dispatches through BullMQ: the queue board shows the messages it carried", async () => {
        const page = await stack.call("/admin/queues/api/queues?activeQueue=&page=1&jobsPerPage=10");
        expect(page.status).toBe(200);
        const { queues } = (await page.json()) as { queues: { name: string; counts: Record<string, number> }[] };
        expect(queues.reduce((sum, queue) => sum + (queue.counts["completed"] ?? 0), 0)).toBeGreaterThan(0);
      });
    },
  );
}

function at(time: string | number | undefined): number {
  return new Date(time ?? 0).getTime();
}
