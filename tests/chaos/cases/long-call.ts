/** Calls that take many times as long as a lease: the lease is the session's, and a long call is nothing special. */
import { backends } from "../../stack/stack.ts";
import type { ChaosCase } from "../harness/case.ts";
import { effectChain } from "../harness/plans.ts";
import { expectEvery, stepsOf } from "../harness/steps.ts";

/** The fast lease of the worlds. */
const leaseMs = 3_000;
const prompt =
  "Summarise this text: A provider takes minutes for a long answer. The worker waits, renews its lease, and asks once.";

export const longCall: ChaosCase<{ leases: number; calls: number }> = {
  id: "long-call",
  backends,
  claims: "a model call and a tool call many times as long as the lease are each made exactly once",
  scale: { t: { leases: 8, calls: 4 }, l: { leases: 48, calls: 20 } },
  seconds: { t: 30, l: 150 },
  world: { workers: 0 },
  least: { recovered: 0 },
  async run(world, { leases, calls }) {
    const callMs = leases * leaseMs;
    const env = { BATON_OFFLINE_LATENCY_MS: String(callMs) };
    const workers = await Promise.all([world.startWorker({ env }), world.startWorker({ env })]);
    world.faults.record("long-call", `${calls} model calls and ${calls} tool calls of ${callMs} ms each`);
    const timeout_ms = 2 * callMs;
    const models = await world.createTasks(calls, () => ({
      steps: [{ id: "model", type: "llm", prompt, timeout_ms }],
    }));
    const tools = await world.createTasks(calls, () => ({
      steps: effectChain(1, { after_ms: callMs }).steps.map((step) => ({ ...step, timeout_ms })),
    }));
    await world.untilAllSettled(undefined, callMs + 60_000);
    expectEvery(
      await stepsOf(world, [...models, ...tools]),
      "one attempt, as long as its call",
      ({ attemptNo, start, end }) => {
        return attemptNo === 1 && end - start >= callMs;
      },
    );
    const [row] = await world.stack.database.read<{ calls: number }>(
      "select count(*)::int as calls from baton.task_execution_trace where type = 'model-called' and task_id = any ($1)",
      [models],
    );
    if (row?.calls !== calls) throw new Error(`${row?.calls} model calls were made, ${calls} are expected.`);
    if (workers.some((worker) => worker.output().includes('"session-lost"'))) throw new Error("A session was lost.");
    // Those that answer at once take their places.
    await Promise.all(workers.map((worker) => world.kill(worker)));
    await world.startWorker();
  },
};
