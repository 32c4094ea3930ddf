/**
 * Waiting for tasks to settle, and I9: when nothing moves, everything that explains it is printed, and the run ends.
 *
 * Progress is a new trace or a new effect. PostgreSQL may be away while a fault lasts: that is no progress either.
 */
import { setTimeout as delay } from "node:timers/promises";
import { type TaskState, taskStates } from "@baton/core/lifecycle";
import { isRunning } from "../../stack/program.ts";
import type { Stack } from "../../stack/stack.ts";
import type { FaultLog } from "./fault-log.ts";
import type { Sink } from "./sink.ts";

export interface Watch {
  readonly stack: Stack;
  readonly sink: Sink;
  readonly faults: FaultLog;
  readonly expected: ReadonlyMap<string, TaskState>;
  readonly stallMs: number;
}

interface TaskLine {
  readonly taskId: string;
  readonly state: TaskState;
  readonly traceNo: number;
  readonly running: number;
}

const pauseMs = 200;

export class StalledError extends Error {
  override readonly name = "StalledError";
  readonly dump: string;

  constructor(stallMs: number, dump: string) {
    super(`I9: nothing moved for ${stallMs} ms.`);
    this.dump = dump;
  }
}

/** A task that has ended, or rests, in another state than expected is not waited for: I1 will name it. */
export async function untilSettled(watch: Watch): Promise<void> {
  const { stack, sink, expected, stallMs } = watch;
  let progress = "";
  let movedAt = performance.now();
  for (;;) {
    const lines = await stack.database
      .read<TaskLine>(
        `select task_id as "taskId", state, trace_no::int as "traceNo", running_count as running
         from baton.task_execution where task_id = any ($1)`,
        [[...expected.keys()]],
      )
      .catch((): readonly TaskLine[] => []);
    if (lines.length === expected.size && lines.every((line) => isSettled(line, expected.get(line.taskId)))) return;
    const seen = `${lines.reduce((sum, line) => sum + line.traceNo, 0)} ${await sink.size()}`;
    if (seen !== progress && lines.length > 0) {
      progress = seen;
      movedAt = performance.now();
    }
    if (performance.now() - movedAt > stallMs) {
      throw new StalledError(stallMs, await dump(watch));
    }
    await delay(pauseMs);
  }
}

function isSettled({ state, running }: TaskLine, expected: TaskState | undefined): boolean {
  return state === expected || taskStates[state] === "terminal" || (taskStates[state] === "resting" && running === 0);
}

/** Locks, sessions, queue counts, the last traces, and what the processes say of themselves. */
export async function dump({ stack, faults }: Pick<Watch, "stack" | "faults">): Promise<string> {
  const { database } = stack;
  const section = async (title: string, statement: string): Promise<string> => {
    const rows = await database.read<unknown>(statement).catch((error: unknown) => [String(error)]);
    return [`## ${title}`, ...rows.map((row) => JSON.stringify(row))].join("\n");
  };
  const sections = await Promise.all([
    section("tasks", "select state, intent, count(*)::int from baton.task_execution group by 1, 2 order by 1"),
    section(
      "steps",
      `select pool, state, dispatched_at is not null as dispatched, backing_off, count(*)::int,
         max(extract(epoch from baton.clock() - available_at))::int as "longest_s" from baton.task_execution_step group by 1, 2, 3, 4`,
    ),
    section(
      "open steps",
      `select task_id, step_id, key, state, attempt_no, dispatch_no, crash_count, failure_count, session_id, dispatched_at, started_at, error
       from baton.task_execution_step where state in ('ready', 'running', 'waiting', 'failed') limit 30`,
    ),
    section(
      "sessions",
      "select session_id, worker, role, slots, started_at, beat_at, expires_at, ended_at, end_reason from baton.worker_session order by started_at",
    ),
    section("locks", "select pid, locktype, relation::regclass, mode, granted from pg_locks where not granted"),
    section(
      "activity",
      `select pid, application_name, state, wait_event_type, wait_event, now() - query_start as since, left(query, 200) as query
       from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`,
    ),
    section(
      "last traces",
      "select created_at, task_id, no, type, step_id, attempt_no, data from baton.task_execution_trace order by created_at desc limit 30",
    ),
  ]);
  const queues = await Promise.all(
    stack.workers.filter(isRunning).map((worker) => queueCounts(worker.name, worker.url)),
  );
  return [...sections, "## queues", ...queues, "## faults", faults.text(), "## logs", tail(stack.logs())].join("\n");
}

async function queueCounts(name: string, url: string): Promise<string> {
  const signal = AbortSignal.timeout(2_000);
  const text = await fetch(`${url}/metrics`, { signal }).then((answer) => answer.text(), String);
  const lines = text.split("\n").filter((line) => /^baton_(?:queue|backlog|slots)/.test(line));
  return `${name}: ${lines.join(", ")}`;
}

const tail = (text: string): string => text.slice(-20_000);
