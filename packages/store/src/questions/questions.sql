-- What steps ask people: written with the settle that lets the step wait, closed by a person or by time. The last one
-- that is closed wakes its step.

-- The questions of outcomes. Tasks are locked by the caller. Rows: one a question.
create function baton_v1.write_questions(p_ok baton_v1.settling[], p_now timestamptz)
returns void language sql
as $$
  insert into baton.question (tenant_id, question_id, task_id, step_id, call_no, attempt_no, kind, subject, approvers, quorum, created_at, expires_at)
  select o.tenant_id, q."questionId", o.task_id, o.step_id, q."callNo", o.attempt_no, q.kind, q.subject,
    array(select jsonb_array_elements_text(q.approvers)), q.quorum, p_now, p_now + make_interval(secs => q."expiresInMs" / 1000.0)
  from unnest(p_ok) o
  cross join lateral jsonb_to_recordset(o.questions) as q(
    "questionId" uuid, "callNo" int, kind text, subject jsonb, approvers jsonb, quorum int, "expiresInMs" bigint)
  where o.outcome = 'asked'
$$;

-- answer_question(question, word): a person answers, approves or rejects. p_word: {act, answer, arguments, by, name, reason};
-- `arguments` only where they are edited. An approval counts for exactly these arguments: one of others takes the place
-- of those before it. The same word again is unchanged; one about a closed question is illegal, as is one of another kind.
-- Lock order: the task row, its question row, then the step row. Index: primary keys, question_by_step. Rows: one each.
create function baton_v1.answer_question(p_tenant uuid, p_question uuid, p_word jsonb, p_room int)
returns jsonb language plpgsql
as $$
declare
  v_now timestamptz := baton.clock();
  v_act text := p_word->>'act';
  v_asked baton.question;
  v_votes jsonb;
  v_arguments jsonb;
  v_state text;
  v_answer text;
  v_wake jsonb := '[]';
begin
  select * from baton.question where tenant_id = p_tenant and question_id = p_question into v_asked;
  if not found then return null; end if;
  perform 1 from baton.task_execution where tenant_id = p_tenant and task_id = v_asked.task_id for no key update;
  select * from baton.question where tenant_id = p_tenant and question_id = p_question for update into v_asked;
  v_arguments := coalesce(p_word->'arguments', v_asked.subject->'arguments');
  v_votes := v_asked.votes;

  if v_asked.state <> 'open' then
    v_answer := case
      when v_asked.closed_by is distinct from p_word->>'by' then 'illegal'
      when v_act = 'answer' and v_asked.state = 'answered' and v_asked.answer = p_word->'answer' then 'unchanged'
      when v_act = 'approve' and v_asked.state = 'approved' and v_asked.answer = v_arguments then 'unchanged'
      when v_act = 'reject' and v_asked.state = 'rejected' then 'unchanged'
      else 'illegal' end;
  elsif v_asked.expires_at <= v_now or (v_act = 'answer') <> (v_asked.kind = 'question') then
    v_answer := 'illegal';
  elsif cardinality(v_asked.approvers) > 0 and not v_asked.approvers && array[p_word->>'by', p_word->>'name'] then
    v_answer := 'forbidden';
  elsif v_act = 'approve' then
    v_votes := coalesce((
      select jsonb_agg(v) from jsonb_array_elements(v_votes) v
      where v->>'by' <> p_word->>'by' and v->'arguments' = v_arguments), '[]')
      || jsonb_build_array(jsonb_build_object('by', p_word->'by', 'at', round(extract(epoch from v_now) * 1000), 'arguments', v_arguments));
    v_state := case when jsonb_array_length(v_votes) >= v_asked.quorum then 'approved' end;
    v_answer := 'changed';
  else
    v_state := case v_act when 'answer' then 'answered' else 'rejected' end;
    v_answer := 'changed';
  end if;

  if v_answer = 'changed' and v_state is null then
    update baton.question set votes = v_votes where tenant_id = p_tenant and question_id = p_question;
    perform baton_v1.apply('{}', array[row(p_tenant, v_asked.task_id, v_asked.step_id, v_asked.attempt_no, 'question-voted',
      jsonb_strip_nulls(jsonb_build_object('questionId', p_question, 'callNo', v_asked.call_no, 'by', p_word->'by',
        'votes', jsonb_array_length(v_votes), 'quorum', v_asked.quorum)))::baton_v1.draft], v_now);
  elsif v_answer = 'changed' then
    update baton.question set
      state = v_state, votes = v_votes, reason = p_word->>'reason', closed_by = p_word->>'by', closed_at = v_now,
      answer = case v_state when 'answered' then p_word->'answer' when 'approved' then v_arguments end
    where tenant_id = p_tenant and question_id = p_question;
    v_wake := baton_v1.wake_answered(
      array[row(p_tenant, v_asked.task_id, v_asked.step_id)::baton_v1.step_key],
      array[row(p_tenant, v_asked.task_id, v_asked.step_id, v_asked.attempt_no, 'question-closed', jsonb_strip_nulls(jsonb_build_object(
        'questionId', p_question, 'callNo', v_asked.call_no, 'kind', v_asked.kind, 'state', v_state, 'by', p_word->'by', 'reason', p_word->'reason',
        'edited', case when v_state = 'approved' and v_arguments <> v_asked.subject->'arguments' then true end)))::baton_v1.draft],
      p_room, v_now);
  end if;
  return (
    select jsonb_build_object('answer', v_answer, 'questionState', q.state, 'votes', jsonb_array_length(q.votes), 'quorum', q.quorum,
      'taskId', q.task_id, 'stepId', q.step_id, 'kind', q.kind, 'taskState', t.state, 'stepState', s.state, 'wakeUps', v_wake)
    from baton.question q
    join baton.task_execution t on t.tenant_id = q.tenant_id and t.task_id = q.task_id
    join baton.task_execution_step s on s.tenant_id = q.tenant_id and s.task_id = q.task_id and s.step_id = q.step_id
    where q.tenant_id = p_tenant and q.question_id = p_question);
end $$;

-- expire_questions(): closes questions whose time is over; their steps go on and see it.
-- Lock order: task rows ascending, question rows, then step rows. Index: question_to_expire. Rows: 200 a call.
create function baton_v1.expire_questions(p_room int)
returns jsonb language plpgsql
as $$
declare
  v_now timestamptz := baton.clock();
  v_due jsonb;
  v_closed jsonb;
begin
  select jsonb_agg(d) from (
    select tenant_id as n, task_id as t, question_id as q from baton.question
    where state = 'open' and expires_at <= v_now order by expires_at limit 200) d
  into v_due;
  if v_due is null then return jsonb_build_object('questions', 0, 'wakeUps', '[]'::jsonb); end if;
  perform 1 from baton.task_execution t
  where (t.tenant_id, t.task_id) in (select d.n, d.t from jsonb_to_recordset(v_due) as d(n uuid, t uuid))
  order by t.tenant_id, t.task_id
  for no key update;
  with closed as (
    update baton.question q set state = 'expired', closed_at = v_now
    from jsonb_to_recordset(v_due) as d(n uuid, q uuid)
    where q.tenant_id = d.n and q.question_id = d.q and q.state = 'open'
    returning q.tenant_id, q.task_id, q.step_id, q.attempt_no, q.question_id, q.call_no, q.kind
  )
  select jsonb_agg(jsonb_build_object('n', tenant_id, 't', task_id, 's', step_id, 'a', attempt_no,
    'data', jsonb_build_object('questionId', question_id, 'callNo', call_no, 'kind', kind, 'state', 'expired')))
  from closed into v_closed;
  return jsonb_build_object('questions', jsonb_array_length(coalesce(v_closed, '[]')), 'wakeUps', baton_v1.wake_answered(
    array(select distinct row(n, t, s)::baton_v1.step_key from jsonb_to_recordset(coalesce(v_closed, '[]')) as c(n uuid, t uuid, s uuid)),
    array(select row(n, t, s, a, 'question-closed', data)::baton_v1.draft
          from jsonb_to_recordset(coalesce(v_closed, '[]')) as c(n uuid, t uuid, s uuid, a int, data jsonb)), p_room, v_now));
end $$;

-- Steps that wait for no open question and no child any more are ready again, and what was drafted is written.
-- Tasks are locked by the caller. Index: primary keys, question_by_step, child_by_step. Rows: the steps.
create function baton_v1.wake_answered(p_keys baton_v1.step_key[], p_drafts baton_v1.draft[], p_room int, p_now timestamptz)
returns jsonb language plpgsql
as $$
declare
  v_woken jsonb;
begin
  with woken as (
    update baton.task_execution_step s set state = 'ready', available_at = p_now
    from unnest(p_keys) k
    where s.tenant_id = k.tenant_id and s.task_id = k.task_id and s.step_id = k.step_id and s.state = 'waiting' and s.item_count is null
      and not exists (select from baton.question q where q.tenant_id = k.tenant_id and q.task_id = k.task_id
                      and q.step_id = k.step_id and q.state = 'open')
      and not exists (select from baton.child_task c where c.tenant_id = k.tenant_id and c.parent_task_id = k.task_id
                      and c.step_id = k.step_id and c.told_at is null)
    returning s.tenant_id, s.task_id, s.step_id, s.kind, s.on_exhausted
  )
  select jsonb_agg(jsonb_build_object('n', tenant_id, 't', task_id, 's', step_id,
    'b', baton_v1.bucket(kind, 'waiting', false, false, on_exhausted), 'o', baton_v1.bucket(kind, 'ready', false, false, on_exhausted)))
  from woken into v_woken;
  v_woken := coalesce(v_woken, '[]');
  perform baton_v1.apply(
    array(select row(n, t, b, o, count(*))::baton_v1.move from jsonb_to_recordset(v_woken) as w(n uuid, t uuid, b text, o text) group by n, t, b, o),
    p_drafts || array(select row(n, t, s, null, 'step-woken', '{}')::baton_v1.draft from jsonb_to_recordset(v_woken) as w(n uuid, t uuid, s uuid)),
    p_now);
  return baton_v1.dispatch_readied(
    array(select row(n, t, s)::baton_v1.step_key from jsonb_to_recordset(v_woken) as w(n uuid, t uuid, s uuid)), p_room, p_now);
end $$;
