-- dispatch(pool, room): which ready steps may go now.
-- First what was lost: dispatched over 5 s ago and not claimed, when the queue holds fewer wake-ups
-- than there are dispatched steps (or a minute has passed). Then ready steps in fair order: order_at
-- is the task's age minus its priority in minutes, so priority ages; within a task the longest path.
-- Lock order: task rows ascending, then step rows. Index: step_to_dispatch, step_dispatched.
-- Rows: up to p_room steps and their tasks; a trace for each repeated dispatch.
create function baton_v1.dispatch(p_pool text, p_room int, p_queue_waiting int)
returns jsonb language plpgsql
as $$
declare
  v_now timestamptz := baton.clock();
  v_lost_after interval := interval '5 seconds';
  v_dispatched int;
  v_keys baton_v1.step_key[];
  v_stale baton_v1.step_key[];
  v_sent jsonb;
begin
  select count(*) from (
    select from baton.task_execution_step where pool = p_pool and state = 'ready' and dispatched_at is not null limit 100000) d
  into v_dispatched;
  if v_dispatched > 0 then
    select array_agg(row(tenant_id, task_id, step_id)::baton_v1.step_key) from (
      select tenant_id, task_id, step_id from baton.task_execution_step
      where pool = p_pool and state = 'ready' and dispatched_at is not null
        and dispatched_at < v_now - case when v_dispatched > p_queue_waiting then v_lost_after else interval '60 seconds' end
      order by dispatched_at limit greatest(p_room, 256)) d
    into v_stale;
  end if;
  if p_room > 0 then
    select array_agg(row(tenant_id, task_id, step_id)::baton_v1.step_key) from (
      select s.tenant_id, s.task_id, s.step_id
      from baton.task_execution_step s
      join baton.task_execution t on t.tenant_id = s.tenant_id and t.task_id = s.task_id
      where s.pool = p_pool and s.state = 'ready' and s.dispatched_at is null and s.order_at < 'infinity' and s.available_at <= v_now
        and t.intent = 'none' and t.state not in ('failed', 'completed', 'cancelled')
        and (t.concurrency is null or t.running_count + t.dispatched_count < t.concurrency)
      order by s.order_at, s.rank desc
      limit p_room) d
    into v_keys;
  end if;
  if v_stale is null and v_keys is null then
    return '[]';
  end if;

  perform 1 from baton.task_execution t
  where (t.tenant_id, t.task_id) in (select k.tenant_id, k.task_id from unnest(coalesce(v_keys, '{}') || coalesce(v_stale, '{}')) k)
  order by t.tenant_id, t.task_id
  for no key update;

  with candidate as materialized (
    select s.tenant_id, s.task_id, s.step_id, s.dispatched_at is not null as again,
      baton_v1.bucket(s.kind, s.state, s.dispatched_at is not null, s.backing_off, s.on_exhausted) as from_bucket,
      t.intent = 'none' and t.state not in ('failed', 'completed', 'cancelled') as live,
      row_number() over (partition by s.tenant_id, s.task_id, s.dispatched_at is not null order by s.rank desc, s.position) as nth,
      case when t.concurrency is null then null else t.concurrency - t.running_count - t.dispatched_count end as allowed
    from (select distinct * from unnest(coalesce(v_keys, '{}') || coalesce(v_stale, '{}'))) k
    cross join lateral (select * from baton.task_execution_step f where f.tenant_id = k.tenant_id and f.task_id = k.task_id and f.step_id = k.step_id offset 0) s
    cross join lateral (select * from baton.task_execution f where f.tenant_id = k.tenant_id and f.task_id = k.task_id offset 0) t
    where s.state = 'ready' and s.available_at <= v_now
  ),
  sent as (
    update baton.task_execution_step s set
      dispatched_at = case when c.live then v_now end,
      dispatch_no = s.dispatch_no + case when c.live then 1 else 0 end,
      backing_off = s.backing_off and not c.live,
      -- Of a task that failed or was paused meanwhile: parked until it goes on.
      order_at = case when c.live then s.order_at else 'infinity' end
    from candidate c
    where s.tenant_id = c.tenant_id and s.task_id = c.task_id and s.step_id = c.step_id and s.state = 'ready'
      and (c.again or (c.live and (c.allowed is null or c.nth <= c.allowed)))
    returning s.tenant_id, s.task_id, s.step_id, s.dispatch_no, c.live, c.again, c.from_bucket, s.kind, s.on_exhausted
  )
  select jsonb_agg(jsonb_build_object('pool', p_pool, 'n', tenant_id, 't', task_id, 's', step_id, 'd', dispatch_no, 'live', live, 'again', again,
    'b', from_bucket, 'o', baton_v1.bucket(kind, 'ready', live, false, on_exhausted)))
  from sent into v_sent;

  perform baton_v1.apply(
    array(select row(n, t, b, o, count(*))::baton_v1.move
          from jsonb_to_recordset(coalesce(v_sent, '[]')) as w(n uuid, t uuid, b text, o text) where b <> o group by n, t, b, o),
    array(select row(n, t, s, null, 'step-redispatched', jsonb_build_object('dispatchNo', d))::baton_v1.draft
          from jsonb_to_recordset(coalesce(v_sent, '[]')) as w(n uuid, t uuid, s uuid, d int, live boolean, again boolean) where live and again),
    v_now);
  return coalesce((select jsonb_agg(w) from jsonb_array_elements(v_sent) w where (w->>'live')::boolean), '[]');
end $$;
