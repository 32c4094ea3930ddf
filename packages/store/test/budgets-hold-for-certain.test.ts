/** Budgets in PostgreSQL: what is settled and reserved never passes a cap, whoever reserves, dies or repeats. */
import {
  type BudgetCaps,
  type BudgetDemand,
  type BudgetState,
  nothing,
  overrunOf,
  reserve,
  reserved,
  settled,
} from "@baton/core/budget";
import type { BudgetAnswer, BudgetSettlement, ClaimedStep, ModelBudgetCall } from "@baton/core/ports";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Bench,
  claim,
  completed,
  type CreatedTask,
  createTask,
  newId,
  type OpenedStore,
  openBench,
  settlementOf,
  step,
} from "./builders.ts";

let bench: Bench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench?.close());

const model = { provider: "p", model: "m" };

/** A tenant of its own, so that its budgets are nobody else's. */
async function tenant(): Promise<string> {
  const tenantId = newId();
  await bench.admin.query("insert into baton.tenant (tenant_id, name) values ($1, 'a test')", [tenantId]);
  return tenantId;
}

async function runningStep(
  more: { readonly tenantId?: string; readonly budget?: BudgetCaps } = {},
): Promise<ClaimedStep> {
  const id = newId();
  const tenantId = more.tenantId ?? (await tenant());
  const settings = more.budget === undefined ? {} : { budget: more.budget };
  return claim(bench.store, await createTask(bench.store, [step("think", id)], { tenantId, settings }), id);
}

type Asked = Partial<Omit<ModelBudgetCall, "kind" | "ref">>;

const callOf = ({ ref, attemptNo, task }: ClaimedStep, more: Asked = {}): ModelBudgetCall => ({
  kind: "model",
  ref,
  rootTaskId: ref.taskId,
  attemptNo,
  caps: task.settings.budget,
  createdAt: task.createdAt,
  model,
  offline: false,
  inputTokens: 100,
  least: 50,
  most: 50,
  price: { inputUsd: 0.001, usdPerOutputToken: 0.000_01 },
  ...more,
});

const toolCallOf = ({ ref, attemptNo, task }: ClaimedStep) => ({
  kind: "tool" as const,
  ref,
  rootTaskId: ref.taskId,
  attemptNo,
  caps: task.settings.budget,
  createdAt: task.createdAt,
});

function granted(answer: BudgetAnswer) {
  if ("refusal" in answer) throw new Error(`Refused: ${JSON.stringify(answer.refusal)}`);
  return answer;
}

const refused = (answer: BudgetAnswer) => ("refusal" in answer ? answer.refusal : undefined);

const spent = (inputTokens: number, outputTokens: number, costUsd = 0, estimated = false) => ({
  spent: { inputTokens, outputTokens, costUsd, estimated },
});

const settlement = (of: ClaimedStep, answer: BudgetAnswer, outcome: BudgetSettlement["outcome"]): BudgetSettlement => ({
  tenantId: of.ref.tenantId,
  reservationId: granted(answer).reservationId,
  outcome,
});

const budgetOf = async (task: CreatedTask) => {
  const row = await bench.store.readTaskBudget(task);
  if (row === undefined) throw new Error("The task is gone.");
  return row;
};

const today = () => new Date().toISOString().slice(0, 10);
const usageOf = (tenantId: string, groupBy: "day" | "model" | "task" = "model") =>
  bench.store.usage({ tenantId, from: today(), to: today(), groupBy, limit: 100 });

/** Rows of all scopes whose settled and reserved figures pass their cap, by more than what was overrun. */
const overspent = async (tenantId: string) => {
  const { rows } = await bench.admin.query(
    `select b.scope, b.settled_tokens + b.reserved_tokens as tokens from baton.budget b
     left join baton.budget c on c.tenant_id = b.tenant_id and c.scope = 'tenant-day' and c.scope_id = '' and b.scope = 'tenant-day' and b.scope_id <> ''
     where b.tenant_id = $1 and (
       b.settled_tokens + b.reserved_tokens > coalesce(b.cap_tokens, c.cap_tokens) + b.overrun_tokens
       or b.settled_usd + b.reserved_usd > coalesce(b.cap_usd, c.cap_usd) + b.overrun_usd
       or b.settled_model_calls + b.reserved_model_calls > coalesce(b.cap_model_calls, c.cap_model_calls)
       or b.settled_tool_calls > b.cap_tool_calls)`,
    [tenantId],
  );
  return rows;
};

describe("a reservation", () => {
  it("is granted while it fits, settled by what the call cost, and its overrun is reported", async () => {
    const one = await runningStep({ budget: { tokens: 400 } });
    const first = await bench.store.reserveCall(callOf(one));
    expect(granted(first)).toMatchObject({ outputTokens: 50, capped: true });
    expect(await budgetOf(one.ref)).toMatchObject({ caps: { tokens: 400 }, reserved: { tokens: 150, modelCalls: 1 } });
    expect(await bench.store.settleCall(settlement(one, first, spent(120, 50, 0.0017)))).toEqual({ overrunTokens: 20 });
    expect(await budgetOf(one.ref)).toMatchObject({
      settled: { tokens: 170, modelCalls: 1, usd: 0.0017 },
      reserved: { tokens: 0, usd: 0, modelCalls: 0 },
      overrun: { tokens: 20, usd: 0.0002 },
    });
    granted(await bench.store.reserveCall(callOf(one)));
    expect(refused(await bench.store.reserveCall(callOf(one)))).toEqual({
      scope: "task",
      kind: "tokens",
      cap: 400,
      settled: 170,
      reserved: 150,
      needed: 150,
      later: true,
    });
  });

  it("shortens an answer that may be shorter, and says which refusal is for good", async () => {
    const one = await runningStep({ budget: { tokens: 400 } });
    const open = callOf(one, { least: 10, most: 60_000 });
    const first = await bench.store.reserveCall(open);
    expect(granted(first).outputTokens).toBe(300);
    expect(refused(await bench.store.reserveCall(open))).toMatchObject({ later: true });
    await bench.store.settleCall(settlement(one, first, spent(100, 250)));
    expect(refused(await bench.store.reserveCall(open))).toMatchObject({ later: false, settled: 350, reserved: 0 });
  });

  it("counts dollars of the input and of each output token, and nothing where there is no price", async () => {
    const one = await runningStep({ budget: { usd: 0.01 } });
    expect(granted(await bench.store.reserveCall(callOf(one, { least: 1, most: 10_000 }))).outputTokens).toBe(900);
    expect(refused(await bench.store.reserveCall(callOf(one)))).toMatchObject({ kind: "usd", later: true });
    expect(granted(await bench.store.reserveCall(callOf(one, { price: null, most: 10_000 }))).outputTokens).toBe(
      10_000,
    );
  });

  it("of the offline model counts in its task's budget alone", async () => {
    const one = await runningStep({ budget: { tokens: 1_000 } });
    const answer = await bench.store.reserveCall(callOf(one, { offline: true }));
    await bench.store.settleCall(settlement(one, answer, spent(10, 5)));
    expect(await budgetOf(one.ref)).toMatchObject({ settled: { tokens: 15 } });
    expect((await usageOf(one.ref.tenantId)).rows).toEqual([]);
    expect(await bench.store.readTenantBudget(one.ref.tenantId, "tenant")).toMatchObject({ settled: { tokens: 0 } });
  });

  it("of a tool's call is settled at once, and ends at its cap", async () => {
    const one = await runningStep({ budget: { toolCalls: 2 } });
    for (let made = 0; made < 2; made++) granted(await bench.store.reserveCall(toolCallOf(one)));
    expect(refused(await bench.store.reserveCall(toolCallOf(one)))).toMatchObject({
      kind: "toolCalls",
      settled: 2,
      later: false,
    });
    granted(await bench.store.reserveCall(callOf(one)));
  });

  it("is refused when the task's time is over, and told how much is left before", async () => {
    const one = await runningStep({ budget: { wallMs: 60_000 } });
    const { capMs, leftMs: left = 0 } = granted(await bench.store.reserveCall(callOf(one))).wall ?? {};
    expect(capMs).toBe(60_000);
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThanOrEqual(60_000);
    await bench.admin.query(
      "update baton.budget set began_at = began_at - interval '61 s' where tenant_id = $1 and scope = 'task'",
      [one.ref.tenantId],
    );
    for (const call of [callOf(one), toolCallOf(one)])
      expect(refused(await bench.store.reserveCall(call))).toMatchObject({ kind: "wallMs", cap: 60_000, later: false });
  });

  it("that is repeated, as after a lost answer, reserves nothing twice", async () => {
    const one = await runningStep({ budget: { tokens: 1_000 } });
    const { ref } = one;
    const wire = [
      {
        ...{
          id: newId(),
          n: ref.tenantId,
          t: ref.taskId,
          r: ref.taskId,
          s: ref.stepId,
          a: 1,
          kind: "model",
          caps: { tokens: 1_000 },
        },
        ...{
          began: one.task.createdAt,
          ...model,
          offline: false,
          input: 100,
          least: 50,
          most: 80,
          usd: 0,
          rate: 0,
          priced: true,
        },
      },
    ];
    const call = async () =>
      (await bench.admin.query<{ answers: unknown }>("select baton_v1.reserve($1) as answers", [JSON.stringify(wire)]))
        .rows[0]?.answers;
    const first = await call();
    expect(first).toMatchObject([{ output: 80, capped: true }]);
    expect(await call()).toMatchObject([{ output: 80, capped: true }]);
    expect(await budgetOf(ref)).toMatchObject({ reserved: { tokens: 180, modelCalls: 1 } });
    const told = settlement(
      one,
      { reservationId: wire[0]?.id ?? "", outputTokens: 80, capped: true, wall: undefined },
      spent(100, 20),
    );
    await bench.store.settleCall(told);
    expect(await bench.store.settleCall({ ...told, outcome: spent(900, 20) })).toEqual({ overrunTokens: 0 });
    expect(await budgetOf(ref)).toMatchObject({ settled: { tokens: 120, modelCalls: 1 }, reserved: { tokens: 0 } });
  });
});

describe("a tenant's caps", () => {
  it("hold over all of its tasks, those of a day only on that day, and change at once", async () => {
    const tenantId = await tenant();
    const [one, other] = [await runningStep({ tenantId }), await runningStep({ tenantId })];
    granted(await bench.store.reserveCall(callOf(one)));
    await bench.store.setTenantBudget(tenantId, "tenant", { tokens: 300 });
    granted(await bench.store.reserveCall(callOf(other)));
    expect(refused(await bench.store.reserveCall(callOf(one)))).toMatchObject({
      scope: "tenant",
      kind: "tokens",
      later: true,
    });
    await bench.store.setTenantBudget(tenantId, "tenant", { tokens: 10_000 });
    await bench.store.setTenantBudget(tenantId, "tenant-day", { modelCalls: 2 });
    expect(refused(await bench.store.reserveCall(callOf(one)))).toMatchObject({
      scope: "tenant-day",
      kind: "modelCalls",
      cap: 2,
    });
    expect(await bench.store.readTenantBudget(tenantId, "tenant-day")).toMatchObject({
      caps: { modelCalls: 2 },
      reserved: { modelCalls: 2, tokens: 300 },
    });
    // Yesterday's calls are yesterday's.
    await bench.admin.query(
      "update baton.budget set scope_id = '2020-01-01' where tenant_id = $1 and scope = 'tenant-day' and scope_id <> ''",
      [tenantId],
    );
    granted(await bench.store.reserveCall(callOf(one)));
    granted(await bench.store.reserveCall(callOf(await runningStep())));
  });
});

describe("a call before there is a task", () => {
  it("counts for its tenant alone, and is charged when nobody has settled it for ten minutes", async () => {
    const tenantId = await tenant();
    const call = {
      kind: "model",
      tenantId,
      model,
      offline: false,
      inputTokens: 100,
      least: 50,
      most: 50,
      price: null,
    } as const;
    await bench.store.setTenantBudget(tenantId, "tenant", { modelCalls: 2 });
    const first = granted(await bench.store.reserveCall(call));
    await bench.store.settleCall({ tenantId, reservationId: first.reservationId, outcome: spent(90, 10) });
    granted(await bench.store.reserveCall(call));
    expect(refused(await bench.store.reserveCall(call))).toMatchObject({
      scope: "tenant",
      kind: "modelCalls",
      later: true,
    });
    expect(await bench.store.expireReservations()).toBe(0);
    await bench.admin.query(
      "update baton.reservation set created_at = created_at - interval '11 minutes' where tenant_id = $1",
      [tenantId],
    );
    expect(await bench.store.expireReservations()).toBe(1);
    expect(await bench.store.readTenantBudget(tenantId, "tenant")).toMatchObject({
      settled: { tokens: 250, modelCalls: 2 },
      reserved: { tokens: 0, modelCalls: 0 },
    });
    expect((await usageOf(tenantId)).total).toMatchObject({ calls: 2, lostCalls: 1, unpricedCalls: 2 });
    expect((await usageOf(tenantId, "task")).rows).toEqual([]);
  });
});

describe("what a dead attempt left reserved", () => {
  it("is charged whole and counted as lost, once, and yields to what the call really cost", async () => {
    const one = await runningStep({ budget: { tokens: 1_000 } });
    const answer = await bench.store.reserveCall(callOf(one));
    expect(await bench.store.expireReservations()).toBe(0);
    await bench.store.settleAttempt(settlementOf(one, { outcome: "released", reason: "gone" }));
    expect(await bench.store.expireReservations()).toBe(1);
    expect(await bench.store.expireReservations()).toBe(0);
    expect(await budgetOf(one.ref)).toMatchObject({
      settled: { tokens: 150, usd: 0.0015, modelCalls: 1 },
      reserved: { tokens: 0 },
    });
    const { total } = await usageOf(one.ref.tenantId);
    expect(total).toMatchObject({ calls: 1, lostCalls: 1, inputTokens: 150, costUsd: 0.0015 });
    await bench.store.settleCall(settlement(one, answer, spent(80, 20, 0.001, true)));
    expect(await budgetOf(one.ref)).toMatchObject({
      settled: { tokens: 100, usd: 0.001, modelCalls: 1 },
      reserved: { tokens: 0 },
    });
    expect((await usageOf(one.ref.tenantId)).total).toMatchObject({
      calls: 1,
      lostCalls: 0,
      estimatedCalls: 1,
      inputTokens: 80,
      outputTokens: 20,
    });
  });

  it("is given back where nothing was sent", async () => {
    const one = await runningStep({ budget: { modelCalls: 1 } });
    const answer = await bench.store.reserveCall(callOf(one));
    await bench.store.settleCall(settlement(one, answer, "nothing"));
    expect(await budgetOf(one.ref)).toMatchObject({
      settled: { tokens: 0, modelCalls: 0 },
      reserved: { tokens: 0, modelCalls: 0 },
    });
    expect((await usageOf(one.ref.tenantId)).total).toMatchObject({ calls: 0 });
    granted(await bench.store.reserveCall(callOf(one)));
  });
});

describe("what is pruned", () => {
  it("goes with its task, and what it has cost stays", async () => {
    const tenantId = await tenant();
    const one = await runningStep({ tenantId });
    await bench.store.settleCall(settlement(one, await bench.store.reserveCall(callOf(one)), spent(90, 10, 0.5)));
    const decision = {
      kind: "model",
      tenantId,
      model,
      offline: false,
      inputTokens: 1,
      least: 1,
      most: 1,
      price: null,
    } as const;
    const { reservationId } = granted(await bench.store.reserveCall(decision));
    await bench.store.settleCall({ tenantId, reservationId, outcome: spent(1, 1) });
    await bench.store.settleAttempt(settlementOf(one, completed()));
    const day = 86_400_000;
    const old = "interval '2 days' where tenant_id = $1";
    await bench.admin.query(`update baton.task_execution set finished_at = finished_at - ${old}`, [tenantId]);
    await bench.admin.query(`update baton.reservation set created_at = created_at - ${old}`, [tenantId]);
    await bench.store.prune({ finishedTasksMs: day, idempotencyMs: day, sessionsMs: day, liveMs: day });
    const { rows } = await bench.admin.query<{ kept: number }>(
      `select (select count(*)::int from baton.reservation where tenant_id = $1)
         + (select count(*)::int from baton.budget where tenant_id = $1 and scope = 'task') as kept`,
      [tenantId],
    );
    expect(rows).toEqual([{ kept: 0 }]);
    expect((await usageOf(tenantId)).total).toMatchObject({ calls: 2, inputTokens: 91, costUsd: 0.5 });
  });
});

describe("usage", () => {
  it("adds up by day, model and task, with what is estimated and without a price marked", async () => {
    const tenantId = await tenant();
    const [one, other] = [await runningStep({ tenantId }), await runningStep({ tenantId })];
    const make = async (by: ClaimedStep, more: Asked, outcome: BudgetSettlement["outcome"]) =>
      bench.store.settleCall(settlement(by, await bench.store.reserveCall(callOf(by, more)), outcome));
    await make(one, {}, spent(100, 20, 0.5));
    await make(one, { price: null, model: { provider: "p", model: "free" } }, spent(10, 2, 0, true));
    const ofCache = { cachedInputTokens: 70, cacheWriteTokens: 20 };
    const cached = { inputTokens: 130, outputTokens: 50, costUsd: 0.25, estimated: false, ...ofCache };
    await make(other, {}, { spent: cached });
    const sum = {
      ...ofCache,
      calls: 3,
      inputTokens: 240,
      outputTokens: 72,
      costUsd: 0.75,
      estimatedCalls: 1,
      unpricedCalls: 1,
      lostCalls: 0,
      overrunTokens: 30,
    };
    expect((await usageOf(tenantId, "day")).rows).toMatchObject([{ day: today(), ...sum }]);
    expect(await usageOf(tenantId, "model")).toMatchObject({
      total: sum,
      rows: [
        { provider: "p", model: "m", calls: 2, costUsd: 0.75 },
        { provider: "p", model: "free", calls: 1, unpricedCalls: 1 },
      ],
    });
    expect((await usageOf(tenantId, "task")).rows).toMatchObject([
      { taskId: one.ref.taskId, calls: 2, costUsd: 0.5 },
      { taskId: other.ref.taskId, calls: 1, overrunTokens: 30, ...ofCache },
    ]);
    expect(
      (await bench.store.usage({ tenantId, from: "2020-01-01", to: "2020-01-02", groupBy: "day", limit: 9 })).rows,
    ).toEqual([]);
  });
});

describe("eight connections", () => {
  it("with twenty callers reserve and settle in shared budgets, and no moment shows more than the cap, and no deadlock", async () => {
    const tenantId = await tenant();
    const stores: OpenedStore[] = [];
    for (let index = 0; index < 8; index++) stores.push(await bench.open());
    await bench.store.setTenantBudget(tenantId, "tenant", { tokens: 40_000, usd: 1 });
    await bench.store.setTenantBudget(tenantId, "tenant-day", { modelCalls: 400 });
    const steps: ClaimedStep[] = [];
    for (let index = 0; index < 5; index++)
      steps.push(await runningStep({ tenantId, budget: { tokens: 9_000, usd: 0.3, modelCalls: 80 } }));
    let over = false;
    let seen = 0;
    const watching = (async () => {
      for (; !over; seen++) expect(await overspent(tenantId)).toEqual([]);
    })();
    const before = await deadlocks();
    const counts = { granted: 0, refused: 0 };
    const work = async (worker: number): Promise<void> => {
      const { store } = stores[worker % stores.length] as OpenedStore;
      for (let round = 0; round < 30; round++) {
        const by = steps[(worker * 7 + round * 3) % steps.length] as ClaimedStep;
        const answer = await store.reserveCall(callOf(by, { least: 20, most: 20 + ((worker + round) % 5) * 100 }));
        if ("refusal" in answer) {
          counts.refused += 1;
          continue;
        }
        counts.granted += 1;
        if ((worker + round) % 11 === 0) continue;
        const outcome =
          (worker + round) % 7 === 0
            ? "nothing"
            : spent(100 + (round % 3) * 10, Math.min(answer.outputTokens, 60), 0.002);
        await store.settleCall({ tenantId, reservationId: answer.reservationId, outcome });
        if (round % 10 === 9) await store.expireReservations();
      }
    };
    await Promise.all(Array.from({ length: 20 }, (_one, worker) => work(worker)));
    over = true;
    await watching;
    expect(seen).toBeGreaterThan(3);
    expect(counts.granted).toBeGreaterThan(50);
    expect(counts.refused).toBeGreaterThan(50);
    expect((await deadlocks()) - before).toBe(0);
    // The rows say what the calls say.
    const { rows } = await bench.admin.query(
      `select b.scope_id from baton.budget b
       join lateral (
         select coalesce(sum(reserved_tokens) filter (where state = 'open'), 0) as open,
           coalesce(sum(input_tokens + output_tokens) filter (where state <> 'open'), 0) as settled
         from baton.reservation r where r.tenant_id = b.tenant_id and (b.scope <> 'task' or r.root_task_id::text = b.scope_id)) r on true
       where b.tenant_id = $1 and not (b.scope = 'tenant-day' and b.scope_id = '') and (b.reserved_tokens, b.settled_tokens) is distinct from (r.open, r.settled)`,
      [tenantId],
    );
    expect(rows).toEqual([]);
  });
});

const deadlocks = async (): Promise<number> => {
  const { rows } = await bench.admin.query<{ n: string }>(
    "select deadlocks::text as n from pg_stat_database where datname = current_database()",
  );
  return Number(rows[0]?.n);
};

describe("the arithmetic in SQL", () => {
  const demands = fc.record({
    inputTokens: fc.nat(200),
    least: fc.nat(50),
    more: fc.nat(300),
    inputUsd: fc.nat(2_000_000).map((nanos) => nanos / 1e9),
    usdPerOutputToken: fc.nat(20_000).map((nanos) => nanos / 1e9),
    tool: fc.integer({ min: 0, max: 5 }).map((value) => value === 0),
    settles: fc.option(fc.record({ input: fc.nat(250), output: fc.nat(400), nanos: fc.nat(3_000_000) })),
  });
  const caps = fc.record(
    {
      tokens: fc.integer({ min: 1, max: 3_000 }),
      usd: fc.integer({ min: 1, max: 20_000_000 }).map((nanos) => nanos / 1e9),
      modelCalls: fc.nat(12),
      toolCalls: fc.nat(3),
    },
    { requiredKeys: [] },
  );

  it("equals core's over generated calls", async () => {
    await fc.assert(
      fc.asyncProperty(caps, fc.array(demands, { minLength: 1, maxLength: 15 }), async (budget, calls) => {
        const by = await runningStep({ budget });
        let state: BudgetState = { caps: budget, settled: nothing, reserved: nothing, elapsedMs: 0 };
        let overrun = 0;
        for (const { least, more, tool, settles, ...price } of calls) {
          const demand: BudgetDemand = { kind: tool ? "tool" : "model", least, most: least + more, ...price };
          const expected = reserve([state], tool ? { ...demand, least: 0, most: 0 } : demand);
          const { inputUsd, usdPerOutputToken, inputTokens } = price;
          const asked = { inputTokens, least, most: least + more, price: { inputUsd, usdPerOutputToken } };
          const answer = await bench.store.reserveCall(tool ? toolCallOf(by) : callOf(by, asked));
          if ("refusal" in expected) {
            expect(refused(answer)).toEqual({ scope: "task", ...expected.refusal });
            continue;
          }
          const { amounts } = expected;
          if (tool) {
            state = settled(reserved(state, amounts), amounts, amounts);
            continue;
          }
          expect(granted(answer).outputTokens).toBe(expected.granted);
          state = reserved(state, amounts);
          if (settles === null) continue;
          const actual = {
            tokens: settles.input + settles.output,
            usd: settles.nanos / 1e9,
            modelCalls: 1,
            toolCalls: 0,
          };
          overrun += overrunOf(amounts, actual).tokens;
          state = settled(state, amounts, actual);
          await bench.store.settleCall(settlement(by, answer, spent(settles.input, settles.output, actual.usd)));
        }
        const row = await budgetOf(by.ref);
        expect(row.settled).toEqual(state.settled);
        const { toolCalls: _, ...held } = state.reserved;
        expect(row.reserved).toEqual(held);
        expect(row.overrun.tokens).toBe(overrun);
      }),
      { numRuns: 40 },
    );
  });
});

describe("a task's caps", () => {
  const held = { code: "budget-exceeded", message: "no more", causes: [] };

  it("are changed by a person: steps that the budget holds go on, and the traces say it", async () => {
    const one = await runningStep({ budget: { tokens: 200 } });
    await bench.store.settleAttempt(settlementOf(one, { outcome: "held", error: held }));
    expect((await bench.store.getTask(one.ref))?.state).toBe("blocked");
    expect(await bench.store.changeTaskBudget(one.ref, { tokens: 500 }, { by: "ada" })).toEqual({
      answer: "changed",
      state: "running",
    });
    expect((await budgetOf(one.ref)).caps).toEqual({ tokens: 500 });
    const again = await claim(bench.store, one.ref, one.ref.stepId);
    granted(await bench.store.reserveCall(callOf(again, { most: 300, least: 300 })));
    const types = (await bench.store.listTaskTraces(one.ref, { limit: 50 })).map(({ type }) => type);
    expect(types).toContain("budget-changed");
    expect(types).toContain("step-reopened");
  });

  it("that are raised while the attempt runs that will be held let it go on all the same", async () => {
    const one = await runningStep({ budget: { tokens: 100 } });
    expect(await bench.store.changeTaskBudget(one.ref, { tokens: 500 }, {})).toMatchObject({ answer: "changed" });
    await bench.store.settleAttempt(settlementOf(one, { outcome: "held", error: held }));
    const again = await claim(bench.store, one.ref, one.ref.stepId);
    await bench.store.settleAttempt(settlementOf(again, { outcome: "held", error: held }));
    expect((await bench.store.getTask(one.ref))?.state).toBe("blocked");
  });

  it("are not lowered below what is spent and under way, nor changed when it is over", async () => {
    const one = await runningStep({ budget: { tokens: 1_000 } });
    granted(await bench.store.reserveCall(callOf(one)));
    expect(await bench.store.changeTaskBudget(one.ref, { tokens: 149 }, {})).toMatchObject({
      answer: "below",
      kind: "tokens",
      least: 150,
    });
    expect(await bench.store.changeTaskBudget(one.ref, { tokens: 150 }, {})).toMatchObject({ answer: "changed" });
    expect(await bench.store.changeTaskBudget(one.ref, { tokens: 150 }, {})).toMatchObject({ answer: "unchanged" });
    expect(await bench.store.changeTaskBudget(one.ref, { toolCalls: 3 }, {})).toMatchObject({ answer: "uncounted" });
    expect(await bench.store.changeTaskBudget(one.ref, { tokens: null, usd: 2 }, {})).toMatchObject({
      answer: "changed",
    });
    expect((await budgetOf(one.ref)).caps).toEqual({ usd: 2 });
    await bench.store.settleAttempt(settlementOf(one, completed()));
    expect(await bench.store.changeTaskBudget(one.ref, { usd: 3 }, {})).toEqual({
      answer: "illegal",
      state: "completed",
    });
    expect(
      await bench.store.changeTaskBudget({ ...one.ref, tenantId: await tenant() }, { usd: 3 }, {}),
    ).toBeUndefined();
    expect(await bench.store.readTaskBudget({ ...one.ref, tenantId: await tenant() })).toBeUndefined();
  });
});
