/**
 * The promise under force: an accepted task ends, and nothing commits twice. Workers use the fast lease
 * (beat 1 s, dead after 3 s).
 */
import { defaultTenantId } from "@baton/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { demoGoal, plantWorkspace, type Workspace } from "./fixtures.ts";
import { expectRowsToEqualTraces } from "./oracle.ts";
import { backends, newId, type Stack, startStack, unavailable, until } from "./stack.ts";

for (const backend of backends) {
  const reason = unavailable(backend);
  describe.skipIf(reason !== undefined)(`over ${backend}${reason === undefined ? "" : ` [skipped: ${reason}]`}`, () => {
    let stack: Stack;
    let workspace: Workspace;
    beforeAll(async () => {
      workspace = await plantWorkspace(6);
      stack = await startStack({
        backend,
        workers: 2,
        env: { BATON_OFFLINE_LATENCY_MS: "1500", BATON_CONCURRENCY: "4", BATON_WORKSPACES: workspace.folder },
      });
    });
    afterAll(async () => {
      await stack?.stop();
      await workspace?.remove();
    });
    const refOf = (taskId: string) => ({ tenantId: defaultTenantId, taskId });
    const startGoal = () =>
      stack.client.createTask({ goal: demoGoal(workspace.folder), settings: { workspace: workspace.folder } });
    const ends = async (taskId: string): Promise<void> => {
      await until(
        `task ${taskId} ends`,
        async () => (await stack.client.getTask(taskId)).finishedAt !== undefined,
        undefined,
        90_000,
      );
      const task = await stack.client.getTask(taskId);
      expect(task, stack.logs()).toMatchObject({ state: "completed", progress: 100 });
      await expectRowsToEqualTraces(stack.store, refOf(taskId));
    };
    const stepsOf = (taskId: string) => stack.store.listTaskSteps(refOf(taskId), { limit: 1_000 });

    it("a worker killed in the middle of its steps: others take them over, and the task completes", async () => {
      const { id } = await startGoal();
      const victim = stack.workers[0];
      await until("the victim runs model steps", async () =>
        (await stepsOf(id)).some(
          (step) =>
            step.type === "llm" &&
            step.state === "running" &&
            step.worker?.endsWith(`/${victim?.process.pid}`) === true,
        ),
      );
      victim?.kill("SIGKILL");
      expect(await victim?.exited).toBe("SIGKILL");
      await ends(id);
      const crashed = (await stepsOf(id)).filter((step) => step.crashCount > 0);
      expect(crashed.length).toBeGreaterThan(0);
      expect(crashed.every((step) => step.failureCount === 0 && step.attemptNo >= 2)).toBe(true);
      await stack.startWorker();
    });

    it("every worker killed: the task waits, says that no worker serves its pool, and completes when one is back", async () => {
      const { id } = await startGoal();
      await until("steps run", async () =>
        (await stepsOf(id)).some((step) => step.type === "llm" && step.state === "running"),
      );
      for (const worker of stack.workers) worker.kill("SIGKILL");
      await until("the task says what it waits for", async () => {
        const { waits } = await stack.client.request("whyTask", { params: { id } });
        return waits.some((wait) => wait.on === "worker");
      });
      await stack.startWorker();
      await ends(id);
    });

    it("the api killed in the middle of planning: a worker plans instead, once", async () => {
      const { id } = await startGoal();
      await until("the plan step runs in the api", async () =>
        (await stepsOf(id)).some(
          (step) => step.kind === "plan" && step.worker?.endsWith(`/${stack.api.process.pid}`) === true,
        ),
      );
      stack.api.kill("SIGKILL");
      await stack.api.exited;
      await stack.startApi();
      await ends(id);
      const plan = (await stepsOf(id)).filter((step) => step.kind === "plan");
      expect(plan).toHaveLength(1);
      expect(plan[0]).toMatchObject({ crashCount: 1, failureCount: 0 });
    });

    it("a worker stopped with SIGTERM: it hands its steps back without a failure or a crash, and exits 0", async () => {
      const extra = await stack.startWorker({ BATON_GRACE_MS: "200" });
      const { id } = await startGoal();
      await until("it runs a model step", async () =>
        (await stepsOf(id)).some(
          (step) =>
            step.type === "llm" && step.state === "running" && step.worker?.endsWith(`/${extra.process.pid}`) === true,
        ),
      );
      extra.kill("SIGTERM");
      expect(await extra.exited, extra.output()).toBe(0);
      await ends(id);
      expect((await stepsOf(id)).every((step) => step.failureCount === 0 && step.crashCount === 0)).toBe(true);
    });

    // PostgreSQL has no queue of its own to lose.
    const whereRedisIs = backend === "redis" ? it : () => undefined;
    whereRedisIs("Redis flushed in the middle of a run: no task is lost and no step commits twice", async () => {
      const { id } = await startGoal();
      const plain = await stack.client.createTask({
        plan: {
          steps: Array.from({ length: 30 }, (_, index) => ({
            id: `s${index}`,
            type: "tool" as const,
            tool: "clock.now",
            ...(index >= 10 ? { depends_on: [`s${index - 10}`] } : {}),
          })),
        },
      });
      await until("steps run", async () => (await stepsOf(id)).some((step) => step.state === "running"));
      await stack.redis?.flushAll();
      await ends(plain.id);
      await ends(id);
    });

    it("a task created twice with one key while the api dies in between exists once", async () => {
      const key = newId();
      const create = () =>
        stack.call("/api/v1/tasks", {
          json: { plan: { steps: [{ id: "a", type: "tool", tool: "clock.now" }] } },
          headers: { "idempotency-key": key },
        });
      const first = await create();
      stack.api.kill("SIGKILL");
      await stack.api.exited;
      await stack.startApi();
      const second = await create();
      expect(second.headers.get("idempotency-replayed")).toBe("true");
      expect(await second.json()).toEqual(await first.json());
    });
  });
}
