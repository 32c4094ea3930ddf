/** Budgets and what was spent, as people read them and change them; see caps.sql. */
import type { TaskRef } from "@baton/core";
import type { CapsChange, TenantCaps } from "@baton/core/budget";
import type { BudgetChange, BudgetRow, TenantScope, UsageQuery, UsageRow } from "../client-store.ts";
import { type Database, rowsOf } from "../connection/pools.ts";
import { type SQL, sql } from "../connection/sql.ts";
import type { WireWakeUp } from "../steps/attempts.ts";
import { defined } from "../tasks/rows.ts";

const settled = sql`jsonb_build_object('tokens', coalesce(b.settled_tokens, 0), 'usd', coalesce(b.settled_usd, 0),
  'modelCalls', coalesce(b.settled_model_calls, 0), 'toolCalls', coalesce(b.settled_tool_calls, 0)) as settled`;
const reserved = sql`jsonb_build_object('tokens', coalesce(b.reserved_tokens, 0), 'usd', coalesce(b.reserved_usd, 0),
  'modelCalls', coalesce(b.reserved_model_calls, 0)) as reserved`;
const overrun = sql`jsonb_build_object('tokens', coalesce(b.overrun_tokens, 0), 'usd', coalesce(b.overrun_usd, 0)) as overrun`;

/** Of a task in a tree, that of its root. Index: task and budget primary keys. */
export async function readTaskBudget(db: Database, { tenantId, taskId }: TaskRef): Promise<BudgetRow | undefined> {
  const rows = await rowsOf<BudgetRow>(
    db,
    sql`select case when b.scope is null then baton_v1.created_caps(t.settings) else baton_v1.caps_of(b.found) end as caps,
          ${settled}, ${reserved}, ${overrun},
          t.task_id as "taskId", floor(extract(epoch from coalesce(t.finished_at, baton.clock()) - t.created_at) * 1000)::float8 as "elapsedMs"
        from baton.task_execution own
        join baton.task_execution t on t.tenant_id = own.tenant_id and t.task_id = coalesce(own.root_task_id, own.task_id)
        left join lateral (
          select f.*, f as found from baton.budget f
          where f.tenant_id = t.tenant_id and f.scope = 'task' and f.scope_id = t.task_id::text offset 0) b on true
        where own.tenant_id = ${tenantId}::uuid and own.task_id = ${taskId}::uuid`,
  );
  return rows[0];
}

/** The day's figures are of today, UTC. Index: budget primary key. */
export async function readTenantBudget(db: Database, tenantId: string, scope: TenantScope): Promise<BudgetRow> {
  const rows = await rowsOf<BudgetRow>(
    db,
    sql`select coalesce(baton_v1.caps_of(c.found), '{}') as caps, ${settled}, ${reserved}, ${overrun}
        from (select 1) one
        left join lateral (
          select f as found from baton.budget f
          where f.tenant_id = ${tenantId}::uuid and f.scope = ${scope} and f.scope_id = '' offset 0) c on true
        left join lateral (
          select * from baton.budget f where f.tenant_id = ${tenantId}::uuid and f.scope = ${scope}
            and f.scope_id = case ${scope} when 'tenant' then '' else (baton.clock() at time zone 'utc')::date::text end offset 0) b on true`,
  );
  return rows[0] as BudgetRow;
}

type Answer = BudgetChange & { readonly wakeUps?: readonly WireWakeUp[] };

export async function changeTaskBudget(
  db: Database,
  { tenantId, taskId }: TaskRef,
  change: CapsChange,
  why: { readonly by?: string | undefined; readonly reason?: string | undefined },
  room: number,
): Promise<Answer | undefined> {
  const rows = await rowsOf<{ answer: Answer | null }>(
    db,
    sql`select baton_v1.change_task_budget(${tenantId}::uuid, ${taskId}::uuid, ${JSON.stringify(change)}::jsonb,
          ${why.by ?? null}, ${why.reason ?? null}, ${room}::int) as answer`,
  );
  return rows[0]?.answer ?? undefined;
}

export async function setTenantBudget(
  db: Database,
  tenantId: string,
  scope: TenantScope,
  caps: TenantCaps,
): Promise<void> {
  await rowsOf(
    db,
    sql`select baton_v1.set_tenant_budget(${tenantId}::uuid, ${scope}, ${JSON.stringify(caps)}::jsonb) as done`,
  );
}

const sums = sql`coalesce(sum(u.calls), 0)::float8 as calls, coalesce(sum(u.input_tokens), 0)::float8 as "inputTokens",
  coalesce(sum(u.output_tokens), 0)::float8 as "outputTokens", coalesce(sum(u.cost_usd), 0)::float8 as "costUsd",
  coalesce(sum(u.estimated_calls), 0)::float8 as "estimatedCalls", coalesce(sum(u.lost_calls), 0)::float8 as "lostCalls",
  coalesce(sum(u.unpriced_calls), 0)::float8 as "unpricedCalls", coalesce(sum(u.overrun_tokens), 0)::float8 as "overrunTokens",
  coalesce(sum(u.overrun_usd), 0)::float8 as "overrunUsd", coalesce(sum(u.cached_tokens), 0)::float8 as "cachedInputTokens",
  coalesce(sum(u.cache_write_tokens), 0)::float8 as "cacheWriteTokens"`;

const usageBy: Readonly<
  Record<UsageQuery["groupBy"], { readonly columns: SQL; readonly keys: SQL; readonly order: SQL }>
> = {
  day: { columns: sql`u.day::text as day`, keys: sql`u.day`, order: sql`u.day` },
  model: {
    columns: sql`u.provider, u.model`,
    keys: sql`u.provider, u.model`,
    order: sql`sum(u.cost_usd) desc, u.provider, u.model`,
  },
  tree: {
    columns: sql`u.root_task_id as "taskId"`,
    keys: sql`u.root_task_id`,
    order: sql`sum(u.cost_usd) desc, u.root_task_id`,
  },
  task: { columns: sql`u.task_id as "taskId"`, keys: sql`u.task_id`, order: sql`sum(u.cost_usd) desc, u.task_id` },
};

const within = ({ tenantId, from, to }: UsageQuery): SQL =>
  sql`u.tenant_id = ${tenantId}::uuid and u.day between ${from}::date and ${to}::date`;

/** What tasks that are pruned have cost stays in the totals, by day and by model. Index: spending primary key. */
export async function readUsage(
  db: Database,
  query: UsageQuery,
): Promise<{ readonly total: UsageRow; readonly rows: readonly UsageRow[] }> {
  const { columns, keys, order } = usageBy[query.groupBy];
  const totals = await rowsOf<UsageRow>(db, sql`select ${sums} from baton.spending u where ${within(query)}`);
  const rows = await rowsOf<UsageRow>(
    db,
    sql`select ${columns}, ${sums} from ${query.groupBy === "task" || query.groupBy === "tree" ? callsOf(query) : sql`baton.spending`} u
        where ${within(query)} group by ${keys} order by ${order} limit ${query.limit}`,
  );
  return { total: totals[0] as UsageRow, rows: rows.map(defined) };
}

/** Index: reservation_by_day. */
const callsOf = ({ tenantId, from, to }: UsageQuery): SQL => sql`(
  select r.tenant_id, r.day, r.task_id, r.root_task_id, (r.state <> 'void')::int as calls, r.input_tokens, r.output_tokens, r.cost_usd,
    r.cached_tokens, r.cache_write_tokens,
    (r.state = 'settled' and r.estimated)::int as estimated_calls, (r.state = 'lost')::int as lost_calls,
    (r.state <> 'void' and not r.priced)::int as unpriced_calls,
    case when r.state = 'settled' then greatest(0, r.input_tokens + r.output_tokens - r.reserved_tokens) else 0 end as overrun_tokens,
    case when r.state = 'settled' then greatest(0, r.cost_usd - r.reserved_usd) else 0 end as overrun_usd
  from baton.reservation r
  where r.tenant_id = ${tenantId}::uuid and r.day between ${from}::date and ${to}::date
    and r.kind = 'model' and r.task_id is not null and not r.offline and r.state <> 'open' offset 0)`;
