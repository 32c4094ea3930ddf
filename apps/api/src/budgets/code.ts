/** The code of the routes about budgets and usage. */
import { BatonError } from "@baton/core";
import type { BudgetChange, BudgetRow, TenantScope, UsageRow } from "@baton/store";
import type { Principal } from "../access/api-key.ts";
import type { ApiDeps } from "../deps.ts";
import type { Call, RouteCode } from "../routing/call.ts";
import { illegal, notFound } from "../tasks/code.ts";
import { refOf } from "../tasks/creation.ts";
import { present } from "../tasks/wire.ts";

type BudgetRoute = "getTaskBudget" | "changeTaskBudget" | "getTenantBudget" | "setTenantBudget" | "getUsage";

const dayMs = 86_400_000;
const usualDays = 30;
const mostRows = 1_000;

const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

const figuresOf = ({ caps, settled, reserved, overrun }: BudgetRow) => ({
  caps: { ...caps },
  settled: { ...settled },
  reserved: { ...reserved },
  overrun: { ...overrun },
});

/** Undefined when nothing was refused. */
function refusalOf(taskId: string, change: BudgetChange): BatonError | undefined {
  const refuse = (kind: string, detail: string): BatonError =>
    new BatonError("illegal-transition", `${kind}: ${detail}.`, { problems: [{ pointer: `/${kind}`, detail }] });
  switch (change.answer) {
    case "changed":
    case "unchanged":
      return undefined;
    case "illegal":
      return illegal(taskId, "a change of its budget", change.state);
    case "of-root": {
      const detail = `it spends from the budget of the task ${change.rootTaskId}; change that one`;
      return new BatonError("illegal-transition", `Task ${taskId} has no budget of its own: ${detail}.`);
    }
    case "uncounted":
      return refuse("toolCalls", "this task was created without a cap on tool calls, so nobody has counted them");
    case "below":
      return refuse(change.kind, `${change.least} are spent or reserved by calls under way; name at least that`);
  }
}

async function changeTask(deps: ApiDeps, { principal, params, body }: Call<"changeTaskBudget">) {
  const { reason, ...change } = body;
  const why = { by: principal.keyId, reason };
  const changed = await deps.store.changeTaskBudget(refOf(principal, params.id), change, why);
  if (changed === undefined) throw notFound("task");
  const refusal = refusalOf(params.id, changed);
  if (refusal !== undefined) throw refusal;
  const answer = { taskId: params.id, state: changed.state, changed: changed.answer === "changed" };
  return { status: 200 as const, body: answer };
}

async function tenantBudget({ store }: ApiDeps, { tenantId }: Principal, scope: TenantScope) {
  const row = await store.readTenantBudget(tenantId, scope);
  return { status: 200 as const, body: { scope, ...figuresOf(row) } };
}

async function usage(deps: ApiDeps, { principal, query }: Call<"getUsage">) {
  const { to = dayOf(Date.now()), group_by: groupBy } = query;
  const { from = dayOf(Date.parse(to) - usualDays * dayMs) } = query;
  if (from > to) {
    const detail = `is after to (${to})`;
    throw new BatonError("invalid-request", `from ${detail}.`, {
      problems: [{ pointer: "/from", detail }],
      details: { in: "query" },
    });
  }
  const { tenantId } = principal;
  const { total, rows } = await deps.store.usage({ tenantId, from, to, groupBy, limit: mostRows });
  return { status: 200 as const, body: { from, to, groupBy, total: { ...total }, rows: rows.map(usageToWire) } };
}

function usageToWire({ provider, model, ...rest }: UsageRow) {
  const named = provider === undefined || model === undefined ? undefined : { provider, model };
  return { ...rest, ...present({ model: named }) };
}

export function budgetCode(deps: ApiDeps): Pick<RouteCode, BudgetRoute> {
  return {
    async getTaskBudget({ principal, params }) {
      const row = await deps.store.readTaskBudget(refOf(principal, params.id));
      if (row === undefined) throw notFound("task");
      return {
        status: 200,
        body: { taskId: row.taskId ?? params.id, ...figuresOf(row), elapsedMs: row.elapsedMs ?? 0 },
      };
    },
    changeTaskBudget: (call) => changeTask(deps, call),
    getTenantBudget: ({ principal, params }) => tenantBudget(deps, principal, params.scope),
    async setTenantBudget({ principal, params, body }) {
      await deps.store.setTenantBudget(principal.tenantId, params.scope, body);
      return tenantBudget(deps, principal, params.scope);
    },
    getUsage: (call) => usage(deps, call),
  };
}
