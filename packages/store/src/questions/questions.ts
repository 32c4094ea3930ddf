/** What steps ask people, and what people answer; see questions.sql. */
import type { StepRef } from "@baton/core";
import type { AskedQuestion } from "@baton/core/questions";
import type { QuestionAnswer, QuestionRow, QuestionsQuery, QuestionWord } from "../client-store.ts";
import type { Connections } from "../connection/pools.ts";
import { type Database, rowsOf } from "../connection/pools.ts";
import { type SQL, sql } from "../connection/sql.ts";
import type { WireWakeUp } from "../steps/attempts.ts";
import { defined } from "../tasks/rows.ts";

const columns = sql`q.question_id as "questionId", q.task_id as "taskId", q.step_id as "stepId", q.call_no as "callNo",
  q.attempt_no as "attemptNo", q.kind, q.state, q.subject, q.approvers, q.quorum, q.votes, q.answer, q.reason, q.closed_by as "closedBy",
  (extract(epoch from q.created_at) * 1000)::float8 as "createdAt", (extract(epoch from q.expires_at) * 1000)::float8 as "expiresAt",
  (extract(epoch from q.closed_at) * 1000)::float8 as "closedAt",
  (select s.key from baton.task_execution_step s
   where s.tenant_id = q.tenant_id and s.task_id = q.task_id and s.step_id = q.step_id) as "stepKey"`;

/** Newest first. Index: question primary key; question_open when only open ones are asked for; question_by_step of one task. */
export async function listQuestions(db: Database, query: QuestionsQuery): Promise<readonly QuestionRow[]> {
  const { tenantId, state, kind, taskId, before, limit } = query;
  const conditions: SQL[] = [sql`q.tenant_id = ${tenantId}::uuid`];
  if (state !== undefined) conditions.push(sql`q.state = ${state}`);
  if (kind !== undefined) conditions.push(sql`q.kind = ${kind}`);
  if (taskId !== undefined) conditions.push(sql`q.task_id = ${taskId}::uuid`);
  if (before !== undefined) conditions.push(sql`q.question_id < ${before}::uuid`);
  const rows = await rowsOf<QuestionRow>(
    db,
    sql`select ${columns} from baton.question q where ${sql.join(conditions, sql` and `)} order by q.question_id desc limit ${limit}`,
  );
  return rows.map(defined);
}

export async function getQuestion(
  db: Database,
  tenantId: string,
  questionId: string,
): Promise<QuestionRow | undefined> {
  const rows = await rowsOf<QuestionRow>(
    db,
    sql`select ${columns} from baton.question q where q.tenant_id = ${tenantId}::uuid and q.question_id = ${questionId}::uuid`,
  );
  return rows[0] === undefined ? undefined : defined(rows[0]);
}

export async function answerQuestion(
  db: Database,
  tenantId: string,
  questionId: string,
  word: QuestionWord,
  room: number,
): Promise<(QuestionAnswer & { readonly wakeUps: readonly WireWakeUp[] }) | undefined> {
  const rows = await rowsOf<{ reply: (QuestionAnswer & { wakeUps: readonly WireWakeUp[] }) | null }>(
    db,
    sql`select baton_v1.answer_question(${tenantId}::uuid, ${questionId}::uuid, ${JSON.stringify(word)}::jsonb, ${room}::int) as reply`,
  );
  return rows[0]?.reply ?? undefined;
}

/** Index: question_by_step. Rows: the step's questions. */
export async function askedQuestions({ engine }: Connections, ref: StepRef): Promise<readonly AskedQuestion[]> {
  const rows = await engine<AskedQuestion>(
    `select distinct on (call_no) question_id as "questionId", call_no as "callNo", attempt_no as "attemptNo", kind, state, subject,
       answer, reason
     from baton.question where tenant_id = $1 and task_id = $2 and step_id = $3 order by call_no, attempt_no desc`,
    [ref.tenantId, ref.taskId, ref.stepId],
  );
  return rows.map(defined);
}

export async function expireQuestions(
  { engine }: Connections,
  room: number,
): Promise<{ readonly questions: number; readonly wakeUps: readonly WireWakeUp[] }> {
  const rows = await engine<{ reply: { questions: number; wakeUps: readonly WireWakeUp[] } }>(
    "select baton_v1.expire_questions($1) as reply",
    [room],
  );
  return rows[0]?.reply ?? { questions: 0, wakeUps: [] };
}
