/**
 * A provider under which everything breaks: every fault once over the wire, a limit that all workers share, and an outage
 * with tasks waiting. What the provider saw is read from its own log.
 */
import { setTimeout as delay } from "node:timers/promises";
import { defaultTenantId } from "@baton/core";
import type { PlanSpec } from "@baton/core/plan";
import { setDatabaseClock } from "@baton/testing/databases";
import { type Fault, type ModelServer, type ModelServerRequest, startModelServer } from "@baton/testing/model-server";
import { until } from "../../stack/program.ts";
import { backends, newId } from "../../stack/stack.ts";
import type { ChaosCase } from "../harness/case.ts";
import { postTask } from "../harness/post-task.ts";
import { stepsOf } from "../harness/steps.ts";
import type { World } from "../harness/world.ts";

const words = "every word of the whole answer";

/** What a step comes to whose first call meets the fault, and how often its provider is called: one retry layer. */
const faults: readonly (readonly [Fault, "completed" | "failed", string | undefined])[] = [
  [{ kind: "rate-limit" }, "completed", undefined],
  [{ kind: "rate-limit", retryAfter: "1" }, "completed", undefined],
  [{ kind: "overloaded" }, "completed", undefined],
  [{ kind: "server-error" }, "completed", undefined],
  [{ kind: "reset" }, "completed", undefined],
  [{ kind: "hang" }, "completed", undefined],
  [{ kind: "hang", afterChunks: 2 }, "completed", undefined],
  [{ kind: "error-event", afterChunks: 2 }, "completed", undefined],
  [{ kind: "cut", afterChunks: 0 }, "completed", undefined],
  [{ kind: "cut", afterChunks: 3 }, "completed", undefined],
  [{ kind: "no-finish-reason" }, "completed", undefined],
  [{ kind: "empty" }, "completed", undefined],
  [{ kind: "spend-limit" }, "failed", "provider-spend-limit"],
  [{ kind: "refusal" }, "failed", "model-refused"],
  [{ kind: "context-too-long" }, "failed", "context-too-large"],
  [{ kind: "unauthorized" }, "failed", "provider-auth"],
];

/** A model of its own each, so that no gate hears of another's faults. */
const models = [
  "claude-opus-5-5",
  "claude-fable-5-2",
  "claude-fable-5-1",
  "claude-fable-5",
  "claude-sonnet-5",
  "claude-opus-5",
  "claude-opus-4-8",
  "claude-opus-4-7",
  "claude-opus-4-6",
  "claude-sonnet-4-6",
  "claude-opus-4-5",
  "claude-opus-4-5-20251101",
  "claude-sonnet-4-5",
  "claude-sonnet-4-5-20250929",
  "claude-haiku-4-5",
  "claude-haiku-4-5-20251001",
] as const;
const limitedModel = "claude-haiku-5-5";
const outageModel = "claude-sonnet-5-5";

/** Of the database against real time. */
const speed = 10;
const limitPerMinute = 240;

interface Provider {
  readonly server: ModelServer;
  isAway: boolean;
}

async function startProvider(): Promise<Provider> {
  const provider = { isAway: false };
  const met = new Set<string>();
  const server = await startModelServer({
    limits: { [limitedModel]: { requests: limitPerMinute, filled: 0.1 } },
    handler: ({ body }) => {
      const model = String(body["model"]);
      const fault = faults[(models as readonly string[]).indexOf(model)]?.[0];
      if (fault !== undefined && !met.has(model)) {
        met.add(model);
        return { text: words, fault };
      }
      if (model === outageModel && provider.isAway) return { text: "", fault: { kind: "overloaded" } };
      return { text: words, delayMs: 20 };
    },
  });
  return Object.assign(provider, { server });
}

const callsOf = ({ server }: Provider, model: string): readonly ModelServerRequest[] =>
  server.requests.filter(({ path, body }) => path === "/v1/messages" && body["model"] === model);

/** In an outage the usual policy, which is made for some seconds: the clock that times it is fast. */
const planFor = (model: string): PlanSpec => {
  const retry = model === outageModel ? {} : { max_attempts: 4, base_ms: 50, cap_ms: 500 };
  return { steps: [{ id: "think", type: "llm", prompt: "Think.", retry }] };
};

async function post(world: World, model: string, state: "completed" | "failed" = "completed"): Promise<string> {
  const settings = { model: { provider: "anthropic", model } };
  const taskId = await postTask(world.stack, { plan: planFor(model), settings }, newId());
  world.expectTask(taskId, { state, stepCount: 1 });
  return taskId;
}

function check(holds: boolean, problem: string): void {
  if (!holds) throw new Error(problem);
}

/** Every fault: what becomes of it, in how many calls, and that nothing cut stands as an output. */
async function everyFault(world: World, provider: Provider): Promise<void> {
  for (const [fault] of faults) world.faults.record("provider", JSON.stringify(fault), 1);
  const tasks = await Promise.all(models.map((model, at) => post(world, model, faults[at]?.[1])));
  await world.untilAllSettled(tasks);
  for (const [at, taskId] of tasks.entries()) {
    const [fault, state, code] = faults[at] as (typeof faults)[number];
    const told = `${JSON.stringify(fault)} ${taskId}`;
    const [step] = await stepsOf(world, [taskId]);
    check(
      step?.state === state && (code === undefined || step?.error?.code === code),
      `${told}: ${JSON.stringify(step)}`,
    );
    const calls = callsOf(provider, models[at] as string).length;
    check(calls === (state === "completed" ? 2 : 1), `${told} was called ${calls} times.`);
    check(fault.kind !== "rate-limit" || step?.failureCount === 0, `${told}: a limit counted as a failure.`);
    const [row] = await world.stack.database.read<{ output: unknown; tokens: string }>(
      "select output, input_tokens::text as tokens from baton.task_execution_step where task_id = $1",
      [taskId],
    );
    check(state === "failed" || row?.output === words, `${told} has the output ${JSON.stringify(row?.output)}.`);
    check(state === "failed" || Number(row?.tokens) > 0, `${told}: no tokens are accounted.`);
  }
}

/** All workers together keep a limit that none of them is told of before. */
async function sharedLimit(world: World, provider: Provider, count: number): Promise<void> {
  world.faults.record("limit", `${limitPerMinute} requests a minute`);
  const tasks = await Promise.all(Array.from({ length: count }, () => post(world, limitedModel)));
  await world.untilAllSettled(tasks);
  const calls = callsOf(provider, limitedModel).length;
  const refused = calls - count;
  const [first, last] = [callsOf(provider, limitedModel)[0], callsOf(provider, limitedModel).at(-1)];
  const seconds = Math.round(((last?.at ?? 0) - (first?.at ?? 0)) / 100) / 10;
  world.faults.record("limited", `${count} tasks: ${calls} requests in ${seconds} s, ${refused} of them 429`);
  // At the start nobody knows the limit: what every worker sends at once may be too much.
  check(refused <= count / 10, `${refused} of ${calls} requests passed the limit of ${limitPerMinute} a minute.`);
}

/** Database time, from one request to another. */
const between = (from: ModelServerRequest, to: ModelServerRequest): number => (to.at - from.at) * speed;

/** The most calls that came within `windowMs` of the database's time. */
function busiestOf(calls: readonly ModelServerRequest[], windowMs: number): number {
  return Math.max(
    ...calls.map((from) => calls.filter((call) => between(from, call) >= 0 && between(from, call) < windowMs).length),
  );
}

async function outage(
  world: World,
  provider: Provider,
  { waiting, seconds, perSecond }: { waiting: number; seconds: number; perSecond: number },
): Promise<void> {
  await setDatabaseClock(world.stack.database.adminUrl, { scale: speed });
  // The normal rate: half a minute of one task after the other.
  const normal: string[] = [];
  const began = performance.now();
  const pauseMs = 1_000 / (perSecond * speed);
  // As many windows of the gate as let it know the rate.
  const normalMs = Math.max(3_000, (seconds * 1_000) / speed / 3);
  while (performance.now() - began < normalMs) {
    const due = Math.floor((performance.now() - began) / pauseMs);
    while (normal.length < due) normal.push(await post(world, outageModel));
    await delay(5);
  }
  const rate = normal.length / ((performance.now() - began) * speed);
  await world.untilAllSettled(normal);

  provider.isAway = true;
  const awayFrom = callsOf(provider, outageModel).length;
  const awayAt = performance.now();
  const away = delay((seconds * 1_000) / speed);
  world.faults.record("outage", `${seconds} s with ${waiting} tasks waiting`, 1);
  const tasks = await Promise.all(Array.from({ length: waiting }, () => post(world, outageModel)));
  await away;
  await until("a task says that it waits for its provider", () => whySaysProvider(world, tasks), undefined, 30_000);
  provider.isAway = false;
  const awaySeconds = ((performance.now() - awayAt) * speed) / 1_000;
  const backFrom = callsOf(provider, outageModel).length;
  await world.untilAllSettled(tasks);

  const calls = callsOf(provider, outageModel);
  const during = calls.slice(awayFrom, backFrom);
  const opened = during.findIndex((call, at) => at >= 4 && between(during[at - 1] as ModelServerRequest, call) > 2_500);
  const probes = during.slice(opened);
  const after = calls.slice(backFrom);
  const windowMs = 10_000;
  const [usual, busiest] = [calls.slice(0, awayFrom), after].map((some) => busiestOf(some, windowMs)) as [
    number,
    number,
  ];
  world.faults.record(
    "back",
    `${during.length} calls in ${Math.round(awaySeconds)} s away, ${probes.length} of them probes; normally ${Math.round(rate * 1e5) / 100} a second and ` +
      `at most ${usual} in ${windowMs / 1_000} s, afterwards at most ${busiest}`,
  );
  check(opened >= 0, "The breaker did not open.");
  check(probes.length <= awaySeconds / 5 + 1, `${probes.length} probes in ${Math.round(awaySeconds)} s.`);
  check(probes.length > 1, "Nobody looked whether the provider was back.");
  // A call may arrive late by what the machine needs, which the clock of the database sees ten times as long.
  const crowd = Math.max(
    ...probes.map((from) => probes.filter((call) => Math.abs(between(from, call) - 15_000) <= 15_000).length),
  );
  check(crowd <= 30 / 5 + 2, `${crowd} probes came within 30 s.`);
  // Below one a second the gate calls no rate normal.
  const most = 2 * Math.max(usual, windowMs / 1_000);
  check(
    busiest <= most,
    `${busiest} calls in ${windowMs / 1_000} s after the outage; ${usual} were the most before it.`,
  );
  const failures = (await stepsOf(world, tasks)).reduce((sum, { failureCount }) => sum + failureCount, 0);
  // Those that opened the breaker, and what was under way by then.
  const underWay = 4 + world.running().length * world.slots;
  check(failures <= underWay, `Waiting for the provider counted as ${failures} failures.`);
}

/** A step that the breaker has sent away says so for as long as its time has not come, which is short for a fast clock. */
async function whySaysProvider({ stack }: World, taskIds: readonly string[]): Promise<boolean> {
  const [last] = await stack.database.read<{ taskId: string }>(
    `select task_id as "taskId" from baton.task_execution_step
     where task_id = any ($1) and state = 'ready' and error->>'code' = 'provider-open' order by available_at desc limit 1`,
    [taskIds],
  );
  if (last === undefined) return false;
  const [wait] = await stack.store.whyTask({ tenantId: defaultTenantId, taskId: last.taskId });
  return wait?.on === "provider";
}

export const provider: ChaosCase<{
  workers: number;
  limited: number;
  waiting: number;
  seconds: number;
  perSecond: number;
}> = {
  id: "provider",
  backends,
  claims:
    "every fault of a provider is retried, waited for or failed as the table says, in one retry layer and with nothing cut as an output; all workers together keep a limit; in an outage one call in 5 s looks after the provider, and the tasks that waited come back without a spike",
  scale: {
    t: { workers: 2, limited: 40, waiting: 30, seconds: 40, perSecond: 1 },
    l: { workers: 8, limited: 200, waiting: 1_000, seconds: 300, perSecond: 2 },
  },
  seconds: { t: 60, l: 240 },
  world: {
    workers: 0,
    apiEnv: { ANTHROPIC_API_KEY: "test" },
    // The lease is kept in real time and runs out in the database's, which is faster.
    env: { BATON_LIMITER_MAX: "1000", BATON_STREAM_IDLE_MS: "4000", BATON_BEAT_MS: "1000", BATON_LEASE_MS: "60000" },
  },
  async run(world, { workers, limited, waiting, seconds, perSecond }) {
    const model = await startProvider();
    try {
      const env = { ANTHROPIC_API_KEY: "test", ANTHROPIC_BASE_URL: model.server.url };
      await Promise.all(Array.from({ length: workers }, () => world.startWorker({ env })));
      await everyFault(world, model);
      await sharedLimit(world, model, limited);
      await outage(world, model, { waiting, seconds, perSecond });
      await until("calls have ended", async () => model.server.requests.every(({ outcome }) => outcome !== "open"));
    } finally {
      await model.server.close();
    }
  },
};
