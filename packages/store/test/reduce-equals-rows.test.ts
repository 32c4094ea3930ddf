/**
 * The model of the product's heart: random verbs on a real PostgreSQL, and after each one the event log,
 * replayed by code that shares nothing with the SQL, tells the same story as the rows.
 */
import { compareWithRows, reduce, type ReducedCounters, reducedCounters } from "@baton/core/events";
import {
  buckets,
  legalTaskMoves,
  resolutionsOf,
  stepStates,
  taskState,
  type TaskCounters,
  taskStates,
} from "@baton/core/lifecycle";
import type { ClaimedStep, NewChild, NewEdge, NewStep, Outcome } from "@baton/core/ports";
import { taskSettings } from "@baton/core/task";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Bench,
  claim,
  completed,
  type CreatedTask,
  createTask,
  failure,
  newId,
  openBench,
  settlementOf,
  step,
  wakeUpOf,
} from "./builders.ts";

type StepRows = Awaited<ReturnType<Bench["store"]["listTaskSteps"]>>;

const verbs = [
  ...["claim", "claim", "claim", "claim", "settle", "settle", "settle", "settle", "settle"],
  ...[
    "dispatch",
    "crash",
    "crash-alone",
    "blocked",
    "close",
    "pause",
    "resume",
    "resume",
    "retry",
    "retry",
    "wait",
    "zombie",
    "cancel",
  ],
  ...["retry-step", "resolve", "resolve", "answer", "answer", "expire", "relate", "relate"],
] as const;
type Verb =
  | "claim"
  | "settle"
  | "dispatch"
  | "crash"
  | "crash-alone"
  | "blocked"
  | "close"
  | "pause"
  | "resume"
  | "retry"
  | "retry-step"
  | "resolve"
  | "answer"
  | "expire"
  | "relate"
  | "wait"
  | "zombie"
  | "cancel";
interface Act {
  readonly verb: Verb;
  readonly seed: number;
}

/** A trace that an attempt leaves behind. */
const note = [{ type: "note", data: { message: "It went to its process." } }];

/** Draws below `n`; the same seed gives the same draws. */
type Draw = (n: number) => number;
function drawer(seed: number): Draw {
  let state = (seed + 1) | 0;
  return (n) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % n;
  };
}

const chosen = <Item>(items: readonly Item[], count: number, draw: Draw): Item[] => {
  const rest = [...items];
  return Array.from({ length: Math.min(count, rest.length) }, () => rest.splice(draw(rest.length), 1)[0] as Item);
};

/** A random acyclic plan; some edges have a condition, some joins take any or two, some steps are maps. */
function randomPlan(draw: Draw, prefix: string, existing: readonly string[]): NewStep[] {
  const ids: string[] = [];
  return Array.from({ length: 1 + draw(6) }, (_, index) => {
    const stepId = newId();
    const sources = chosen([...ids, ...existing], draw(4), draw);
    ids.push(stepId);
    const dependsOn = sources.map(
      (fromStepId): NewEdge => (draw(2) === 0 ? { fromStepId } : { fromStepId, when: { $cel: "true" } }),
    );
    const joins = ["all", "all", 1, 2] as const;
    return step(`${prefix}${index}`, stepId, [], {
      dependsOn,
      join: joins[draw(joins.length)] ?? "all",
      type: draw(4) === 0 ? "map" : "tool",
      onExhausted: draw(3) === 0 ? "hold" : "fail",
      rank: draw(10),
    });
  });
}

/** One run: a task, what this worker has claimed, and what was seen of it. */
class Run {
  readonly bench: Bench;
  readonly task: CreatedTask;
  held: ClaimedStep[] = [];
  spent: ClaimedStep[] = [];
  added = 0;
  seen = new Map<string, string>();

  constructor(bench: Bench, task: CreatedTask) {
    this.bench = bench;
    this.task = task;
  }

  steps(): Promise<StepRows> {
    return this.bench.store.listTaskSteps(this.task, { limit: 10_000 });
  }

  async act({ verb, seed }: Act): Promise<void> {
    const draw = drawer(seed);
    const { store } = this.bench;
    switch (verb) {
      case "claim":
        return this.claim(draw);
      case "settle":
        return this.settle(draw);
      case "dispatch":
        return void (await store.dispatchSteps({ pool: "default", room: draw(5), queueWaiting: 0 }));
      case "crash":
      case "crash-alone":
      case "blocked":
      case "close":
        return this.end(verb, draw);
      case "pause":
        return void (await store.pauseTask(this.task, "somebody"));
      case "resume":
        return void (await store.resumeTask(this.task, "somebody"));
      case "retry":
        return void (await store.retryTask(this.task, "somebody"));
      case "retry-step":
        return this.retryStep(draw);
      case "resolve":
        return this.resolve(draw);
      case "answer":
        return this.answer(draw);
      case "relate":
        return this.relate(draw);
      case "expire":
        await this.bench.admin.query(
          "update baton.question set expires_at = baton.clock() where task_id = $1 and call_no = 1",
          [this.task.taskId],
        );
        return void (await store.expireQuestions());
      case "cancel":
        return draw(6) === 0 ? void (await store.cancelTask(this.task, { by: "somebody" })) : undefined;
      case "wait":
        return void (await this.bench.admin.query(
          "update baton.task_execution_step set available_at = baton.clock() where task_id = $1 and state = 'ready'",
          [this.task.taskId],
        ));
      case "zombie":
        for (const spent of chosen(this.spent, 2, draw)) {
          expect(await store.settleAttempt(settlementOf(spent, completed()))).toEqual({ status: "lease-lost" });
        }
    }
  }

  async claim(draw: Draw): Promise<void> {
    const ready = (await this.steps()).filter(({ state }) => state === "ready");
    const claims = await Promise.all(
      chosen(ready, 1 + draw(3), draw).map(({ stepId }) => this.bench.store.claimStep(wakeUpOf(this.task, stepId))),
    );
    this.held.push(...claims.filter((claimed) => claimed !== undefined));
  }

  /** Several at once, so that they travel in one flush. */
  async settle(draw: Draw): Promise<void> {
    const settling = chosen(this.held, 1 + draw(3), draw);
    this.held = this.held.filter((each) => !settling.includes(each));
    this.spent.push(...settling);
    const known = (await this.steps()).filter(({ kind }) => kind === "user").map(({ stepId }) => stepId);
    const answers = await Promise.all(
      settling.map((claimed) =>
        this.bench.store.settleAttempt(settlementOf(claimed, this.outcomeOf(claimed, known, draw), draw(2) === 0)),
      ),
    );
    this.held.push(...answers.flatMap(({ continuation }) => continuation ?? []));
  }

  /** Mostly a failed step, where need be one that fails now; sometimes any other. */
  async stepToMend(draw: Draw): Promise<StepRows[number]> {
    const isFailed = ({ state }: StepRows[number]) => state === "failed";
    if (!(await this.steps()).some(isFailed)) {
      if (this.held.length === 0) await this.claim(draw);
      const [failing] = chosen(this.held, 1, draw);
      if (failing !== undefined) {
        this.held = this.held.filter((each) => each !== failing);
        this.spent.push(failing);
        await this.bench.store.settleAttempt(settlementOf(failing, { outcome: "exhausted", error: failure }));
      }
    }
    const steps = await this.steps();
    const failed = steps.filter(isFailed);
    return chosen(failed.length > 0 && draw(4) > 0 ? failed : steps, 1, draw)[0] as StepRows[number];
  }

  async retryStep(draw: Draw): Promise<void> {
    const { stepId, state } = await this.stepToMend(draw);
    const answer = await this.bench.store.retryStep({ ...this.task, stepId }, { by: "somebody", reason: "a test" });
    expect([state, answer?.answer]).toEqual([state, retryAnswer[state]]);
  }

  async resolve(draw: Draw): Promise<void> {
    const { stepId, state, kind, attemptNo } = await this.stepToMend(draw);
    const { store, admin } = this.bench;
    const conditional = await admin.query<{ id: string }>(
      "select to_step_id as id from baton.task_execution_step_edge where task_id = $1 and from_step_id = $2 and condition is not null",
      [this.task.taskId, stepId],
    );
    const deadEdges = conditional.rows.map(({ id }) => id).filter(() => draw(2) === 0);
    const outcomes = [{ state: "skipped" }, { state: "completed", outputJson: '{"by":"hand"}', deadEdges }] as const;
    const outcome = outcomes[draw(2)] ?? outcomes[0];
    const stale = draw(5) === 0 ? 1 : 0;
    const answer = await store.resolveStep(
      { ...this.task, stepId },
      { ...outcome, attemptNo: attemptNo + stale, by: "somebody", reason: "a test" },
    );
    if (state === "failed") {
      const possible = stale === 0 && resolutionsOf(kind).includes(outcome.state);
      expect(answer?.answer).toBe(possible ? "changed" : "illegal");
    } else expect(answer?.answer).not.toBe("changed");
    if (answer?.answer === "changed") resolved.push(`${kind} ${outcome.state}`);
  }

  async answer(draw: Draw): Promise<void> {
    const { store } = this.bench;
    const { tenantId, taskId } = this.task;
    const words = [{ act: "answer", answer: "yes" }, { act: "approve" }, { act: "reject" }] as const;
    const questions = await store.listQuestions({ tenantId, taskId, limit: 1_000 });
    for (const { questionId, kind, state, expiresAt } of chosen(questions, 1 + draw(2), draw)) {
      const word = words[draw(3)] ?? words[0];
      const said = await store.answerQuestion(tenantId, questionId, { ...word, by: "k", name: "somebody" });
      const fits = (kind === "question") === (word.act === "answer");
      if (state === "open" && expiresAt === undefined) expect(said?.answer).toBe(fits ? "changed" : "illegal");
      else expect(said?.answer).not.toBe("changed");
      if (said?.answer === "changed") resolved.push(said.questionState);
    }
  }

  /** Some of the task's children end, and it is told. */
  async relate(draw: Draw): Promise<void> {
    const { store, admin } = this.bench;
    const open = await admin.query<{ id: string }>(
      "select child_task_id as id from baton.child_task where parent_task_id = $1 and state = 'open'",
      [this.task.taskId],
    );
    for (const { id: taskId } of chosen(open.rows, 1 + draw(2), draw))
      await store.cancelTask({ tenantId: this.task.tenantId, taskId }, {});
    const { told } = await store.relateTasks();
    await store.idle();
    if (told > 0) resolved.push("child told");
  }

  asking({ attemptNo }: ClaimedStep, draw: Draw): Outcome {
    const questions = Array.from({ length: 1 + draw(2) }, (_, index) => {
      const common = { questionId: newId(), callNo: index + 1, approvers: [], quorum: 1 };
      return draw(2) === 0
        ? { ...common, kind: "question" as const, subject: { text: "Which one?" } }
        : {
            ...common,
            kind: "approval" as const,
            subject: { tool: "t", effect: "write" as const, arguments: { n: index } },
          };
    });
    const children = Array.from({ length: draw(3) }, (_, index): NewChild => {
      const place = { kind: "plan", goal: "help", input: null, settings: taskSettings.parse({}) } as const;
      const task = { ...place, steps: [step("agent", newId())] };
      return { childTaskId: newId(), callNo: attemptNo * 10 + index, agent: "a", task };
    });
    return { outcome: "asked", questions, children };
  }

  outcomeOf(claimed: ClaimedStep, known: readonly string[], draw: Draw): Outcome {
    switch (draw(11)) {
      case 0:
        return { outcome: "retry-later", error: failure, delayMs: draw(2) * 3_600_000 };
      case 1:
        return { outcome: "exhausted", error: failure };
      case 2:
        return { outcome: "released", reason: "a test" };
      case 3:
        return claimed.kind === "summary" ? completed() : this.deferral(1 + draw(2));
      case 4:
        return claimed.type === "map" ? completed() : this.asking(claimed, draw);
      default:
        break;
    }
    if (claimed.type === "map" && !claimed.joining && draw(4) > 0) return this.expansion(claimed, draw);
    const adds = this.addsOf(claimed, known, draw);
    const deadEdges = claimed.conditions.map(({ toStepId }) => toStepId).filter(() => draw(2) === 0);
    return completed({ ok: true }, { deadEdges, ...(adds.length > 0 && { adds }) });
  }

  addsOf({ kind }: ClaimedStep, known: readonly string[], draw: Draw): NewStep[] {
    if (kind === "plan") return randomPlan(draw, `p${this.added++}-`, []);
    if (kind === "evaluate" && draw(3) > 0 && this.added < 4) return randomPlan(draw, `r${this.added++}-`, known);
    return [];
  }

  deferral(count: number): Outcome {
    const adds = Array.from({ length: count }, () =>
      step(`summary-${this.added++}`, newId(), [], { kind: "summary", type: "summarization" }),
    );
    return { outcome: "deferred", adds };
  }

  expansion({ key, ref }: ClaimedStep, draw: Draw): Outcome {
    const items = Array.from({ length: 1 + draw(5) }, (_, index) =>
      step(`${key}[${index}]`, newId(), [], {
        item: { parentStepId: ref.stepId, index, value: index },
        onExhausted: draw(2) === 0 ? "hold" : "fail",
      }),
    );
    return { outcome: "expanded", items, concurrency: 1 + draw(4) };
  }

  /** A further worker claims steps, then its session ends in one of the ways that there are, and is reaped. */
  async end(how: "crash" | "crash-alone" | "blocked" | "close", draw: Draw): Promise<void> {
    const { admin, store } = this.bench;
    const sessionId = newId();
    await admin.query(
      `insert into baton.worker_session (tenant_id, session_id, role, worker, host, pid, version, pools, tools, slots, started_at, beat_at, expires_at)
       values ($1, $2, 'worker', 'other/1', 'other', 1, 'test', '{default}', '{}', 5, baton.clock(), baton.clock(), baton.clock() + interval '1 hour')`,
      [this.task.tenantId, sessionId],
    );
    const ready = (await this.steps()).filter(({ state }) => state === "ready");
    const refs = chosen(ready, 1 + draw(2), draw).map(({ stepId }) => ({
      n: this.task.tenantId,
      t: this.task.taskId,
      s: stepId,
    }));
    await admin.query("select baton_v1.claim($1, $2, $3)", [JSON.stringify(refs), sessionId, newId()]);
    if (how === "crash-alone") {
      for (const { t, s } of refs)
        await admin.query(
          `select baton_v1.crash_attempt($1, $2, $3, (select attempt_no from baton.task_execution_step where step_id = $3), $4, $5, $6)`,
          [this.task.tenantId, t, s, sessionId, { name: "ProcessEnded", message: "alone" }, JSON.stringify(note)],
        );
    }
    if (how === "blocked") {
      const holder = `(select jsonb_build_object('s', step_id, 'a', attempt_no) from baton.task_execution_step
                       where session_id = $1 and state = 'running' limit ${draw(2)})`;
      await admin.query(`select baton_v1.end_blocked($1, ${holder}, 'here')`, [sessionId]);
    }
    const ending =
      how === "crash"
        ? "expires_at = baton.clock() - interval '1 second'"
        : "ended_at = baton.clock(), end_reason = 'closed'";
    await admin.query(`update baton.worker_session set ${ending} where session_id = $1 and ended_at is null`, [
      sessionId,
    ]);
    await store.reapSessions();
  }

  /** Every way out is taken until nothing is left to do. */
  async finish(): Promise<string> {
    const { store } = this.bench;
    for (let round = 0; round < 300; round++) {
      const state = (await store.getTask(this.task))?.state ?? "gone";
      if (state === "completed" || state === "cancelled") return state;
      await store.resumeTask(this.task);
      await store.retryTask(this.task);
      await this.act({ verb: "wait", seed: 0 });
      for (let seed = 0; seed < 6; seed++) await this.act({ verb: "answer", seed });
      for (let seed = 0; seed < 3; seed++) await this.act({ verb: "relate", seed });
      await this.act({ verb: "expire", seed: 0 });
      await this.claim(drawer(round));
      const answers = await Promise.all(
        this.held.map((claimed) => store.settleAttempt(settlementOf(claimed, completed(), true))),
      );
      this.held = answers.flatMap(({ continuation }) => continuation ?? []);
    }
    return `stuck in ${(await store.getTask(this.task))?.state}`;
  }

  async counters(): Promise<TaskCounters> {
    const columns = [...buckets, "claimed"].map((name) => `${name}_count::int as ${name}`);
    const { rows } = await this.bench.admin.query<TaskCounters>(
      `select ${columns.join(", ")} from baton.task_execution where task_id = $1`,
      [this.task.taskId],
    );
    return rows[0] as TaskCounters;
  }

  async check(): Promise<void> {
    const { store, admin } = this.bench;
    const task = await store.getTask(this.task);
    if (task === undefined) throw new Error("The task is gone.");
    const [steps, traces, counters] = [
      await this.steps(),
      await store.listTaskTraces(this.task, { limit: 100_000 }),
      await this.counters(),
    ];
    const ready = counters.ready + counters.dispatched + counters.backoff;
    const merged = Object.fromEntries(
      reducedCounters.map((name) => [name, name === "ready" ? ready : counters[name]]),
    ) as ReducedCounters;
    const reduced = reduce(traces);
    expect(compareWithRows(reduced, { task, steps, counters: merged })).toEqual([]);
    expect(taskState(task.intent, counters)).toBe(task.state);

    const counted = await admin.query<{ bucket: string; n: number }>(
      `select baton_v1.bucket(kind, state, dispatched_at is not null, backing_off, on_exhausted) as bucket, count(*)::int as n
       from baton.task_execution_step where task_id = $1 group by 1`,
      [this.task.taskId],
    );
    const byBucket = new Map(counted.rows.map(({ bucket, n }) => [bucket, n]));
    for (const bucket of buckets) expect([bucket, counters[bucket]]).toEqual([bucket, byBucket.get(bucket) ?? 0]);

    for (const { key, state } of steps) this.stays(key, state, stepStates[state]);
    this.stays("the task", task.state, taskStates[task.state]);
    for (const { type, data } of traces)
      if (type === "task-state-changed") moves.add(`${String(data["from"])}>${String(data["to"])}`);
  }

  stays(name: string, state: string, stateClass: string): void {
    const before = this.seen.get(name);
    if (before !== undefined) expect([name, state]).toEqual([name, before]);
    if (stateClass === "terminal") this.seen.set(name, state);
  }
}

const retryAnswer: Readonly<Record<string, string>> = {
  ...{ failed: "changed", completed: "illegal", skipped: "illegal", cancelled: "illegal" },
  ...{ pending: "unchanged", ready: "unchanged", running: "unchanged", waiting: "unchanged" },
};

const moves = new Set<string>();
const resolved: string[] = [];
let bench: Bench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench?.close());

async function start(kind: "goal" | "plan", seed: number): Promise<Run> {
  const draw = drawer(seed);
  const settings = draw(4) === 0 ? { concurrency: 1 + draw(3) } : {};
  const steps =
    kind === "plan" ? randomPlan(draw, "s", []) : [step("plan", newId(), [], { kind: "plan", type: "plan" })];
  return new Run(bench, await createTask(bench.store, steps, { kind, settings }));
}

describe("steps that settle in one flush", () => {
  it("keep their verdicts apart: a condition that is false on one branch leaves the other branch's edge satisfied", async () => {
    const [a, b, c] = [newId(), newId(), newId()];
    const when = { $cel: "true" };
    const dependsOn = [
      { fromStepId: a, when },
      { fromStepId: b, when },
    ];
    const task = await createTask(bench.store, [step("a", a), step("b", b), step("c", c, [], { dependsOn, join: 1 })]);
    const run = new Run(bench, task);
    const [first, second] = [await claimed(task, a), await claimed(task, b)];
    await Promise.all([
      bench.store.settleAttempt(settlementOf(first, completed({}, { deadEdges: [c] }))),
      bench.store.settleAttempt(settlementOf(second, completed())),
    ]);
    expect((await run.steps()).map(({ state }) => state)).toEqual(["completed", "completed", "ready"]);
    await run.check();
  });

  it("settle an attempt once, also when it is told twice", async () => {
    const a = newId();
    const task = await createTask(bench.store, [step("a", a), step("b", newId(), [a])]);
    const attempt = await claimed(task, a);
    const twice = await Promise.all([
      bench.store.settleAttempt(settlementOf(attempt, { outcome: "released", reason: "a test" })),
      bench.store.settleAttempt(settlementOf(attempt, { outcome: "exhausted", error: failure })),
    ]);
    expect(twice.map(({ status }) => status)).toEqual(["settled", "lease-lost"]);
    await new Run(bench, task).check();
  });
});

describe("a map's item that waits for a summary of its own", () => {
  it("stays waiting when another item makes room", async () => {
    const [map, ...ids] = [newId(), newId(), newId(), newId()];
    const task = await createTask(bench.store, [step("map", map, [], { type: "map" })]);
    const items = ids.map((id, index) =>
      step(`map[${index}]`, id, [], { item: { parentStepId: map, index, value: index } }),
    );
    const { store } = bench;
    await store.settleAttempt(settlementOf(await claimed(task, map), { outcome: "expanded", items, concurrency: 3 }));
    const [first, , last] = [await claimed(task, ids[0]!), undefined, await claimed(task, ids[2]!)];
    const summary = step("summary", newId(), [], { kind: "summary", type: "summarization" });
    await store.settleAttempt(settlementOf(last, { outcome: "deferred", adds: [summary] }));
    await store.settleAttempt(settlementOf(first, completed()));
    const run = new Run(bench, task);
    await run.check();
    expect((await run.steps()).find(({ stepId }) => stepId === ids[2])?.state).toBe("pending");
    expect(await run.finish()).toBe("completed");
  });
});

describe("a goal", () => {
  const planned = async (settings = {}) => {
    const plan = newId();
    const task = await createTask(bench.store, [step("plan", plan, [], { kind: "plan", type: "plan" })], {
      kind: "goal",
      settings,
    });
    const [a, b] = [newId(), newId()];
    const dependsOn = [{ fromStepId: a, when: { $cel: "false" } }];
    const adds = [step("a", a), step("b", b, [], { dependsOn })];
    await bench.store.settleAttempt(settlementOf(await claimed(task, plan), completed({}, { adds })));
    return { task, run: new Run(bench, task), a, b };
  };

  it("that is paused while its last step ends is still evaluated after it goes on", async () => {
    const { task, run, a, b } = await planned();
    const attempt = await claimed(task, a);
    await bench.store.pauseTask(task);
    await bench.store.settleAttempt(settlementOf(attempt, completed({}, { deadEdges: [b] })));
    expect(await bench.store.getTask(task)).toMatchObject({ state: "paused" });
    await run.check();
    expect(await bench.store.resumeTask(task)).toMatchObject({ state: "evaluating" });
    expect(await run.finish()).toBe("completed");
  });

  it("whose revision builds on a skipped step skips what can no longer run, and ends", async () => {
    const { task, run, a, b } = await planned();
    await bench.store.settleAttempt(settlementOf(await claimed(task, a), completed({}, { deadEdges: [b] })));
    const evaluation = (await run.steps()).find(({ kind }) => kind === "evaluate");
    const [c, d] = [newId(), newId()];
    const adds = [step("c", c, [b]), step("d", d, [c]), step("e", newId(), [a, b], { join: 1 })];
    await bench.store.settleAttempt(settlementOf(await claimed(task, evaluation!.stepId), completed({}, { adds })));
    const states = Object.fromEntries((await run.steps()).map(({ key, state }) => [key, state]));
    expect(states).toMatchObject({ b: "skipped", c: "skipped", d: "skipped", e: "ready" });
    await run.check();
    expect(await run.finish()).toBe("completed");
  });
});

const claimed = (task: CreatedTask, stepId: string): Promise<ClaimedStep> => claim(bench.store, task, stepId);

const act = fc.record({ verb: fc.constantFrom(...(verbs as readonly Verb[])), seed: fc.nat(1_000_000) });
const numRuns = Number(process.env["BATON_MODEL_RUNS"] ?? 60);

describe("after any sequence of verbs", () => {
  it("the event log tells what the rows say, counters count, terminal stays terminal, and every task can be brought to its end", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom("goal" as const, "plan" as const),
        fc.nat(1_000_000),
        fc.array(act, { minLength: 5, maxLength: 45, size: "max" }),
        async (kind, seed, acts) => {
          const run = await start(kind, seed);
          await run.check();
          for (const each of acts) {
            await run.act(each);
            await run.check();
          }
          expect(["completed", "cancelled"]).toContain(await run.finish());
          await run.check();
        },
      ),
      { numRuns, interruptAfterTimeLimit: 120_000 },
    );
    const legal = new Set(legalTaskMoves().map(([from, to]) => `${from}>${to}`));
    expect([...moves].filter((move) => !legal.has(move))).toEqual([]);
    // What was never resolved was not tested.
    expect(resolved).not.toEqual([]);
  }, 300_000);
});
