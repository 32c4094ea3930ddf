/**
 * Loads, as a client makes them and sees them end.
 *
 * Purpose: POST tasks, and know when the last one is over, with as few requests as a client can do with. Boundary:
 * it speaks HTTP to the api and knows nothing else of the system.
 *
 * 1. The clock runs from the first POST to the moment when the client has been told that no task is live.
 * 2. All in flight: tasks are POSTed as fast as the api takes them; the end is awaited on the stream of a task that is
 *    still live, then of the next one. A window: the live tasks are listed about three times per window's duration,
 *    and as many are POSTed as have ended.
 * 3. After the clock has stopped, every task must be listed as completed.
 */
import { setTimeout as delay } from "node:timers/promises";
import { taskStates } from "@baton/core/lifecycle";
import type { Client } from "./http.ts";

export interface Load {
  /** Bodies of POST /api/v1/tasks; the n-th task takes body n modulo their number. */
  readonly bodies: readonly unknown[];
  readonly tasks: number;
  /** Tasks under way at once; "all" posts without waiting for any end. */
  readonly inFlight: number | "all";
  /** POSTs at once. */
  readonly connections: number;
}

export interface LoadTimes {
  readonly seconds: number;
  /** From the first POST to the answer of the last one. */
  readonly createdSeconds: number;
}

interface Listed {
  readonly tasks: readonly { readonly id: string; readonly state: string }[];
  readonly nextCursor: string | null;
}

const pageSize = 200;
const live = Object.entries(taskStates)
  .filter(([, stateClass]) => stateClass === "live")
  .map(([state]) => state)
  .join(",");

export async function runLoad(client: Client, load: Load): Promise<LoadTimes> {
  const texts = load.bodies.map((body) => JSON.stringify(body));
  const ids = new Set<string>();
  const post = async (no: number) => {
    const created = (await client.post("/api/v1/tasks", texts[no % texts.length] as string)) as { id: string };
    ids.add(created.id);
  };
  const begin = performance.now();
  if (load.inFlight === "all") await inLanes(load.tasks, load.connections, post);
  else await inWindow(client, load, load.inFlight, post);
  const createdSeconds = (performance.now() - begin) / 1_000;
  await untilNoneLives(client);
  const seconds = (performance.now() - begin) / 1_000;
  await requireCompleted(client, ids);
  return { seconds, createdSeconds };
}

/** Runs 0 … count - 1, `width` at once. */
async function inLanes(count: number, width: number, run: (no: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < count) await run(next++);
  };
  await Promise.all(Array.from({ length: Math.min(width, count) }, lane));
}

async function inWindow(
  client: Client,
  { tasks, connections }: Load,
  window: number,
  post: (no: number) => Promise<void>,
): Promise<void> {
  const begin = performance.now();
  let posted = 0;
  while (posted < tasks) {
    const liveCount = posted === 0 ? 0 : await countLive(client, window);
    const more = Math.min(window - liveCount, tasks - posted);
    const from = posted;
    await inLanes(more, connections, (no) => post(from + no));
    posted += more;
    const ended = posted - window;
    const msPerTask = ended > 0 ? (performance.now() - begin) / ended : 1;
    await delay(Math.min(500, (window / 3) * msPerTask));
  }
}

async function countLive(client: Client, atMost: number): Promise<number> {
  let count = 0;
  let cursor = "";
  for (;;) {
    const limit = Math.min(pageSize, atMost - count);
    const page = (await client.get(`/api/v1/tasks?state=${live}&limit=${limit}${cursor}`)) as Listed;
    count += page.tasks.length;
    if (page.nextCursor === null || count >= atMost) return count;
    cursor = `&cursor=${encodeURIComponent(page.nextCursor)}`;
  }
}

async function untilNoneLives(client: Client): Promise<void> {
  for (;;) {
    const { tasks } = (await client.get(`/api/v1/tasks?state=${live}&limit=1`)) as Listed;
    const [task] = tasks;
    if (task === undefined) return;
    await client.untilOver(task.id);
  }
}

async function requireCompleted(client: Client, ids: ReadonlySet<string>): Promise<void> {
  const missing = new Set(ids);
  let cursor = "";
  while (missing.size > 0) {
    const page = (await client.get(`/api/v1/tasks?limit=${pageSize}${cursor}`)) as Listed;
    for (const { id, state } of page.tasks) {
      if (missing.delete(id) && state !== "completed") throw new Error(`Task ${id} ended ${state}.`);
    }
    if (page.nextCursor === null) break;
    cursor = `&cursor=${encodeURIComponent(page.nextCursor)}`;
  }
  if (missing.size > 0) throw new Error(`${missing.size} tasks were accepted and are not listed.`);
}

/** Until the system is idle again: longer than what a finished task leaves to be written. */
const pauseMs = 20;

/** Milliseconds from the POST of a task to its end, one task after the other. */
export async function oneByOne(client: Client, body: unknown, runs: number): Promise<number[]> {
  const text = JSON.stringify(body);
  const times: number[] = [];
  for (let run = 0; run < runs; run++) {
    const begin = performance.now();
    const { id } = (await client.post("/api/v1/tasks", text)) as { id: string };
    await client.untilOver(id);
    times.push(performance.now() - begin);
    await delay(pauseMs);
  }
  return times;
}

/** Milliseconds from the POST of a task to the start of its first step, by the step's own `startedAt`. */
export async function firstStarts(client: Client, body: unknown, runs: number): Promise<number[]> {
  const text = JSON.stringify(body);
  const times: number[] = [];
  for (let run = 0; run < runs; run++) {
    const begin = performance.timeOrigin + performance.now();
    const { id } = (await client.post("/api/v1/tasks", text)) as { id: string };
    await client.untilOver(id);
    const { steps } = (await client.get(`/api/v1/tasks/${id}/steps?limit=1`)) as { steps: { startedAt: string }[] };
    times.push(Date.parse(steps[0]?.startedAt ?? "") - begin);
    await delay(pauseMs);
  }
  return times;
}
