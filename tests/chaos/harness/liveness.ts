/** What is asked of living processes at the end of a run: I7, and the stream half of I6. */
import { defaultTenantId } from "@baton/core";
import { until } from "../../stack/program.ts";
import type { Findings } from "./invariants.ts";
import type { World } from "./world.ts";

/** I7: after the last fault every worker that is there completes work. */
export async function everyWorkerWorks(world: World): Promise<Findings> {
  const workers = world.running();
  const since = await world.stack.database.read<{ now: string }>("select baton.clock()::text as now");
  const idle = async () => {
    const done = await world.stack.database.read<{ pid: number }>(
      `select distinct w.pid from baton.task_execution_step s join baton.worker_session w using (session_id)
       where s.state = 'completed' and s.started_at > $1`,
      [since[0]?.now],
    );
    const pids = new Set(done.map(({ pid }) => pid));
    return workers.filter(({ process }) => process.pid !== undefined && !pids.has(process.pid));
  };
  const slots = workers.length * world.slots;
  const probe = { type: "tool" as const, tool: "chaos.effect", arguments: { before_ms: 150, label: "probe" } };
  const missing = async (): Promise<boolean> => {
    const steps = Array.from({ length: slots }, (_, index) => ({ id: `probe${index}`, ...probe }));
    const ids = await world.createTasks(1, () => ({ steps }));
    await world.untilAllSettled(ids);
    return (await idle()).length === 0;
  };
  if (workers.length === 0) return ["no worker is left"];
  try {
    await until("every worker completes a step", missing, undefined, 30_000);
    return [];
  } catch {
    return (await idle()).map(
      ({ name, process }) => `${name} (pid ${process.pid}) completed nothing after the last fault`,
    );
  }
}

const sampled = 3;

/** I6: a stream that is resumed after any trace brings the rest, once each and in order. */
export async function streamsEqualTraces(world: World): Promise<Findings> {
  const { stack, random, tasks } = world;
  const over = [...tasks].filter(
    ([, { state }]) => state === "completed" || state === "failed" || state === "cancelled",
  );
  const findings: string[] = [];
  for (const [taskId] of random.derive("streams").shuffle(over).slice(0, sampled)) {
    const traces = await stack.store.listTaskTraces({ tenantId: defaultTenantId, taskId }, { limit: 1_000_000 });
    const after = random.between(0, traces.length);
    const told: string[] = [];
    for await (const event of stack.client.follow(taskId, { after, signal: AbortSignal.timeout(30_000) })) {
      if (event.event === "trace") told.push(`${event.trace.no} ${event.trace.type} ${event.trace.stepId ?? ""}`);
    }
    const written = traces.slice(after).map(({ no, type, stepId }) => `${no} ${type} ${stepId ?? ""}`);
    if (told.join("\n") !== written.join("\n")) {
      findings.push(
        `task ${taskId}, resumed after ${after}: told ${told.length} traces, ${written.length} are written`,
      );
    }
  }
  return findings;
}
