/**
 * Dead letters as people read them: grouped by cause, one by one, and one with all that is known of it.
 * Index: step_failed, step and task primary keys. Rows read: the tenant's dead letters.
 */
import type { StepRef } from "@baton/core";
import type { TraceRow } from "@baton/core/events";
import { taskSettings } from "@baton/core/task";
import type {
  DeadLetterGroupRow,
  DeadLetterPosition,
  DeadLetterRow,
  DeadLetterSelection,
  FailedStep,
} from "../client-store.ts";
import { type Database, rowsOf } from "../connection/pools.ts";
import { type SQL, sql } from "../connection/sql.ts";
import { listStepEffects } from "../effects/calls.ts";
import { claimFromWire, type WireClaim } from "../steps/wire.ts";
import { defined } from "../tasks/rows.ts";

/** Micros: a position must tell apart what failed within one millisecond. */
const failedAt = sql`(extract(epoch from s.finished_at) * 1000000)::bigint`;
const toolOf = sql`case when s.type = 'tool' then s.config->>'tool' end`;

const patternOf = sql`baton_v1.error_pattern(s.error->>'message')`;
const groupOf = sql`baton_v1.dead_letter_group(s.error->>'code', ${patternOf}, s.type, ${toolOf})`;

const letterColumns = sql`s.task_id as "taskId", s.step_id as "stepId", s.key, s.kind, s.type, ${toolOf} as tool, s.state,
  s.error, baton_v1.resting_policy(s.on_exhausted, s.held) as "onExhausted", s.attempt_no as "attemptNo", s.failure_count as "failureCount", s.crash_count as "crashCount",
  (extract(epoch from s.finished_at) * 1000)::float8 as "failedAt", ${failedAt}::float8 as "failedAtMicros",
  baton_v1.is_in_doubt(row(s.tenant_id, s.task_id, s.step_id)::baton_v1.step_key) as "inDoubt",
  ${groupOf} as "groupId", t.goal, t.state as "taskState"`;

/** The rows of a selection; the step stands under the name `s`. */
export function selected({ tenantId, code, taskId, since, groupId, stepIds }: DeadLetterSelection): SQL {
  const conditions: SQL[] = [sql`s.tenant_id = ${tenantId}::uuid`, sql`s.state = 'failed'`];
  if (code !== undefined) conditions.push(sql`s.error->>'code' = ${code}`);
  if (taskId !== undefined) conditions.push(sql`s.task_id = ${taskId}::uuid`);
  if (since !== undefined) conditions.push(sql`s.finished_at >= to_timestamp(${since}::float8 / 1000)`);
  if (groupId !== undefined) conditions.push(sql`${groupOf} = ${groupId}`);
  // An array of constants is looked up by index or by hash; a subquery would be a loop over both.
  if (stepIds !== undefined) conditions.push(sql`s.step_id = any (${`{${stepIds.join(",")}}`}::uuid[])`);
  return sql.join(conditions, sql` and `);
}

/** Groups with the newest failure first, each with its newest letters. */
export async function listDeadLetterGroups(
  db: Database,
  query: DeadLetterSelection & {
    readonly before?: DeadLetterPosition | undefined;
    readonly limit: number;
    readonly letters: number;
  },
): Promise<{ readonly total: number; readonly groups: readonly DeadLetterGroupRow[] }> {
  const { before, limit, letters } = query;
  const after =
    before === undefined ? sql`true` : sql`(last_at, group_id) < (${before.failedAtMicros}::bigint, ${before.id})`;
  const groups = await rowsOf<
    Omit<DeadLetterGroupRow, "letters"> & { readonly total: number; readonly newest: readonly string[] }
  >(
    db,
    sql`with letter as materialized (
          select s.step_id, s.task_id, s.error->>'code' as code, p.pattern, s.type, ${toolOf} as tool, ${failedAt} as at,
                 baton_v1.dead_letter_group(s.error->>'code', p.pattern, s.type, ${toolOf}) as group_id
          from baton.task_execution_step s
          cross join lateral (select ${patternOf} as pattern offset 0) p
          where ${selected(query)}
        ),
        grouped as (
          select group_id, min(code) as code, min(pattern) as pattern, min(type) as type, min(tool) as tool,
                 count(*)::int as count, count(distinct task_id)::int as tasks, min(at) as first_at, max(at) as last_at,
                 (array_agg(step_id::text order by at desc, step_id desc))[1:${letters}::int] as newest
          from letter group by group_id
        )
        select group_id as "groupId", code, pattern, type, tool, count, tasks as "taskCount", first_at::float8 / 1000 as "firstFailedAt",
               last_at::float8 / 1000 as "lastFailedAt", last_at::float8 as "lastFailedAtMicros", newest, (select count(*)::int from letter) as total
        from grouped where ${after}
        order by last_at desc, group_id desc limit ${limit}`,
  );
  const stepIds = groups.flatMap(({ newest }) => newest);
  const shown = await listDeadLetters(db, { tenantId: query.tenantId, stepIds, limit: stepIds.length });
  return {
    total: groups[0]?.total ?? 0,
    groups: groups.map(({ total: _total, newest: _newest, ...group }) => ({
      ...defined(group),
      letters: shown.filter(({ groupId }) => groupId === group.groupId),
    })),
  };
}

/** The newest failure first. */
export async function listDeadLetters(
  db: Database,
  query: DeadLetterSelection & { readonly before?: DeadLetterPosition | undefined; readonly limit: number },
): Promise<readonly DeadLetterRow[]> {
  const { before } = query;
  const after =
    before === undefined
      ? sql`true`
      : sql`(${failedAt}, s.step_id) < (${before.failedAtMicros}::bigint, ${before.id}::uuid)`;
  const rows = await rowsOf<DeadLetterRow>(
    db,
    sql`select ${letterColumns} from baton.task_execution_step s
        join baton.task_execution t on t.tenant_id = s.tenant_id and t.task_id = s.task_id
        where ${selected(query)} and ${after}
        order by s.finished_at desc, s.step_id desc limit ${query.limit}`,
  );
  return rows.map(defined);
}

/** A step by its id alone, in whatever state it is; only of one that has failed is there an error. */
export async function findDeadLetter(
  db: Database,
  tenantId: string,
  stepId: string,
): Promise<DeadLetterRow | undefined> {
  const rows = await rowsOf<DeadLetterRow>(
    db,
    sql`select ${letterColumns} from baton.task_execution_step s
        join baton.task_execution t on t.tenant_id = s.tenant_id and t.task_id = s.task_id
        where s.step_id = ${stepId}::uuid and s.tenant_id = ${tenantId}::uuid limit 1`,
  );
  return rows[0] === undefined ? undefined : defined(rows[0]);
}

/** What is known of one step that failed; its traces are read from the whole task's. */
export async function readFailedStep(db: Database, tenantId: string, stepId: string): Promise<FailedStep | undefined> {
  const letter = await findDeadLetter(db, tenantId, stepId);
  if (letter === undefined) return undefined;
  const ref = { tenantId, taskId: letter.taskId, stepId };
  const ofStep = sql`tenant_id = ${ref.tenantId}::uuid and task_id = ${ref.taskId}::uuid and step_id = ${ref.stepId}::uuid`;
  const [inputs] = await rowsOf<{ claims: readonly WireClaim[] }>(
    db,
    sql`select baton_v1.attempt_inputs(array[row(${ref.tenantId}::uuid, ${ref.taskId}::uuid, ${ref.stepId}::uuid)::baton_v1.step_key], false, true) as claims`,
  );
  const wire = inputs?.claims[0];
  if (wire === undefined) return undefined;
  const history = await rowsOf<TraceRow>(
    db,
    sql`select no::float8 as no, type, step_id as "stepId", attempt_no as "attemptNo", data, (extract(epoch from created_at) * 1000)::float8 as "createdAt"
        from (select * from baton.task_execution_trace
              where ${ofStep} and type in ('step-started', 'step-retry-scheduled', 'step-failed', 'step-released', 'step-crashed', 'step-reopened')
              order by no desc limit 400) newest
        order by no`,
  );
  const { config, inputs: outputs, conditions, item, task } = claimFromWire(await withInputs(db, ref, wire));
  return {
    letter,
    step: {
      ref,
      key: letter.key,
      type: letter.type,
      config,
      inputs: outputs,
      conditions,
      task: { ...task, settings: taskSettings.parse(task.settings) },
      ...(item !== undefined && { item }),
    },
    history: history.map(defined),
    effects: await listStepEffects(db, ref),
  };
}

/** The outputs that `attempt_inputs` leaves out because all of them together pass 4 MB. */
async function withInputs(db: Database, ref: StepRef, wire: WireClaim): Promise<WireClaim> {
  const inputs = [];
  for (const input of wire.inputs) {
    if (input.inline || input.blobId !== null) {
      inputs.push(input);
      continue;
    }
    const rows = await rowsOf<{ output: unknown }>(
      db,
      sql`select output from baton.task_execution_step
          where tenant_id = ${ref.tenantId}::uuid and task_id = ${ref.taskId}::uuid and step_id = ${input.stepId}::uuid`,
    );
    inputs.push({ ...input, output: rows[0]?.output });
  }
  return { ...wire, inputs };
}
