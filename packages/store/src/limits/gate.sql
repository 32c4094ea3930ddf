-- How many calls a second may go, so many seconds after the gate has begun to let them through again: from a quarter of
-- the normal rate to one and a half times in half a minute, below twice for ten minutes, and then more and more, since
-- the normal rate may have been low for want of work. A rate that nobody knows begins at one a second and doubles every
-- five.
create function baton_v1.ramp_rate(p_normal float8, p_seconds float8)
returns float8 language sql immutable parallel safe
as $$
  select case
    when p_normal is null then power(2, least(greatest(p_seconds, 0), 100) / 5)
    when p_seconds < 30 then greatest(p_normal, 1) * (0.25 + 1.25 * greatest(p_seconds, 0) / 30)
    when p_seconds < 600 then greatest(p_normal, 1) * (1.5 + 0.4 * (p_seconds - 30) / 570)
    else greatest(p_normal, 1) * 1.9 * power(1.5, least(p_seconds - 600, 1200) / 60)
  end
$$;

-- admit_calls([{key, input, output}]): which calls may go now, and when the others are worth asking for again.
-- An object by the place of the call: {call, admitted, probe, watched, wait} or {reason, wait, …}.
-- A call that may go within a second has its place from now on and is not asked for again. Who has to wait longer is told
-- a time of its own, so that they come one after the other and not all at once.
-- Of a gate that nobody has passed before, few go until one is answered, or for 5 s.
-- Lock order: the gates by key. Index: provider_gate primary key. Rows: one a key.
create function baton_v1.admit_calls(p_calls jsonb)
returns jsonb language plpgsql
as $$
declare
  v_now timestamptz;
  v_answers jsonb := '{}';
  v_call record;
  v_needs float8[];
  v_left float8[];
  v_wait float8;
  v_limit_wait float8;
  v_spacing float8;
  v_rate float8;
  v_reason text;
  v_kind int;
  v_most float8;
  g baton.provider_gate;
begin
  insert into baton.provider_gate (key) select distinct c->>'key' from jsonb_array_elements(p_calls) c order by 1 on conflict do nothing;
  for g in
    select * from baton.provider_gate where key in (select c->>'key' from jsonb_array_elements(p_calls) c) order by key for update
  loop
    v_now := baton.clock();
    for v_call in
      select c.at, c.input, c.output
      from rows from (jsonb_to_recordset(p_calls) as (key text, input float8, output float8)) with ordinality as c(key, input, output, at)
      where c.key = g.key order by c.at
    loop
      v_needs := array[1, v_call.input, v_call.output, v_call.input + v_call.output];
      -- All in ms from now.
      v_wait := 0;
      v_spacing := 50;
      v_reason := null;
      v_kind := null;
      v_left := g.remaining;
      for i in 1..4 loop
        if g.limits[i] is not null then
          v_left[i] := least(g.limits[i], g.remaining[i] + g.rates[i] * extract(epoch from v_now - g.limits_at) * 1000);
        end if;
      end loop;

      if g.opened_at is not null and v_now < g.probe_at then
        v_wait := extract(epoch from g.probe_at - v_now) * 1000;
        v_reason := 'open';
      elsif g.opened_at is null and g.spared_until > v_now then
        v_wait := extract(epoch from g.spared_until - v_now) * 1000;
        v_reason := 'asked-to-wait';
      elsif g.heard_at is null and g.call_no >= 8 and v_now < g.called_at + interval '5 seconds' then
        v_wait := 1000;
        v_reason := 'unknown';
      elsif g.opened_at is null then
        for i in 1..4 loop
          v_limit_wait := (least(v_needs[i], g.limits[i]) - v_left[i]) / greatest(g.rates[i], 1e-9);
          if v_limit_wait > v_wait then
            v_wait := v_limit_wait;
            v_spacing := least(v_needs[i], g.limits[i]) / greatest(g.rates[i], 1e-9);
            v_reason := 'limit';
            v_kind := i;
          end if;
        end loop;
        -- Who comes when it was told to does not wait, and those behind it still do.
        if g.ramp_at is not null and g.ramp_at < v_now - interval '30 seconds'
          and greatest(g.ramp_waited_at, g.queue_at) < v_now - interval '10 seconds' then
          g.ramp_at := null;
          g.window_at := null;
        end if;
        if g.ramp_at is not null then
          v_rate := baton_v1.ramp_rate(g.normal_rate, extract(epoch from v_now - g.ramp_at)) / 1000;
          if extract(epoch from g.next_at - v_now) * 1000 > v_wait then
            v_wait := extract(epoch from g.next_at - v_now) * 1000;
            v_spacing := 1 / v_rate;
            v_reason := 'recovering';
            v_kind := null;
          end if;
          if v_wait > 0 then
            g.ramp_waited_at := v_now;
          end if;
        end if;
      end if;

      if v_reason is null or (v_wait <= 1000 and v_reason in ('limit', 'recovering')) then
        g.call_no := g.call_no + 1;
        g.called_at := coalesce(g.called_at, v_now);
        for i in 1..4 loop
          g.admitted[i] := g.admitted[i] + v_needs[i];
          v_left[i] := v_left[i] - least(v_needs[i], g.limits[i]);
        end loop;
        g.remaining := v_left;
        g.limits_at := v_now;
        if g.opened_at is not null then
          g.probe_at := v_now + interval '5 seconds';
        elsif g.ramp_at is not null then
          g.next_at := greatest(g.next_at, v_now) + make_interval(secs => 1 / (v_rate * 1000));
        elsif g.window_at is null or v_now > g.window_at + interval '10 seconds' then
          if g.window_at is not null then
            -- Of the windows, not the fullest of them: a burst is not the normal rate.
            v_rate := g.window_count / extract(epoch from v_now - g.window_at);
            g.normal_rate := (coalesce(g.normal_rate, v_rate) + v_rate) / 2;
          end if;
          g.window_at := v_now;
          g.window_count := 1;
        else
          g.window_count := g.window_count + 1;
        end if;
        v_answers := v_answers || jsonb_build_object(v_call.at::text, jsonb_build_object(
          'call', g.call_no, 'admitted', to_jsonb(g.admitted), 'probe', g.opened_at is not null,
          'watched', g.opened_at is not null or g.failure_count > 0 or g.throttle_count > 0, 'wait', ceil(v_wait)));
      else
        -- The longer it is away, the more seldom the same step asks.
        v_most := greatest(60000, least(600000, coalesce(extract(epoch from v_now - g.opened_at), 0) * 100));
        g.queue_at := greatest(g.queue_at + make_interval(secs => v_spacing / 1000), v_now + make_interval(secs => v_wait / 1000));
        g.queue_at := least(g.queue_at, v_now + make_interval(secs => greatest(v_most, v_wait) / 1000));
        v_answers := v_answers || jsonb_build_object(v_call.at::text, jsonb_strip_nulls(jsonb_build_object(
          'reason', v_reason, 'wait', ceil(greatest(v_wait, extract(epoch from g.queue_at - v_now) * 1000)),
          'kind', v_kind, 'perMinute', round((g.rates[v_kind] * 60000)::numeric),
          'problem', case when v_reason in ('open', 'asked-to-wait') then g.problem end, 'since', extract(epoch from g.opened_at) * 1000)));
      end if;
    end loop;
    update baton.provider_gate u set
      call_no = g.call_no, called_at = g.called_at, admitted = g.admitted, remaining = g.remaining, limits_at = g.limits_at, probe_at = g.probe_at,
      normal_rate = g.normal_rate, window_at = g.window_at, window_count = g.window_count,
      ramp_at = g.ramp_at, next_at = g.next_at, ramp_waited_at = g.ramp_waited_at, queue_at = g.queue_at
    where u.key = g.key;
  end loop;
  return v_answers;
end $$;

-- report_calls([{key, call, admitted, limits, left, reset, outcome, retry, problem}]): what became of admitted calls.
-- The provider is away after five failures in a row, less than 30 s apart; one success brings it back.
-- Lock order: the gates by key. Index: provider_gate primary key. Rows: one a key.
create function baton_v1.report_calls(p_reports jsonb)
returns void language plpgsql
as $$
declare
  v_now timestamptz;
  v record;
  v_until timestamptz;
  g baton.provider_gate;
begin
  for g in
    select * from baton.provider_gate where key in (select r->>'key' from jsonb_array_elements(p_reports) r) order by key for update
  loop
    v_now := baton.clock();
    for v in
      select r.* from rows from (jsonb_to_recordset(p_reports) as (
        key text, call bigint, admitted float8[], limits float8[], "left" float8[], reset float8[], outcome text, retry float8, problem text))
        with ordinality as r(key, call, admitted, limits, "left", reset, outcome, retry, problem, at)
      where r.key = g.key order by r.at
    loop
      -- Limits: an older answer than the one they are from says nothing new. Calls admitted after it may not be counted in it.
      if v.limits is not null and v.call > g.limits_no then
        for i in 1..4 loop
          if v.limits[i] is not null then
            g.rates[i] := case
              when v.reset[i] >= 5000 and v."left"[i] < v.limits[i] then (v.limits[i] - v."left"[i]) / v.reset[i]
              when g.limits[i] = v.limits[i] then g.rates[i]
              else v.limits[i] / 60000 end;
            g.limits[i] := v.limits[i];
            g.remaining[i] := v."left"[i] - greatest(0, g.admitted[i] - v.admitted[i]);
          elsif g.limits[i] is not null then
            g.remaining[i] := least(g.limits[i], g.remaining[i] + g.rates[i] * extract(epoch from v_now - g.limits_at) * 1000);
          end if;
        end loop;
        g.limits_at := v_now;
        g.limits_no := v.call;
      end if;

      v_until := case when v.retry is not null then v_now + make_interval(secs => least(v.retry, 3600000) / 1000) end;
      if v.outcome = 'throttled' then
        -- Calls that were under way together are throttled together.
        g.throttle_count := g.throttle_count + case when g.spared_until > v_now then 0 else 1 end;
        v_until := coalesce(v_until, v_now + make_interval(secs => least(30, power(2, least(g.throttle_count - 1, 10)))));
        g.spared_until := greatest(g.spared_until, v_until);
        g.problem := v.problem;
        -- Where no limit of requests is told, it is found by going slowly.
        if g.limits[1] is null and g.opened_at is null then
          if g.ramp_at is null and g.window_at is not null then
            g.normal_rate := coalesce(g.normal_rate, g.window_count / greatest(10, extract(epoch from v_now - g.window_at)));
          end if;
          g.normal_rate := case when g.ramp_at > v_now - interval '2 seconds' then g.normal_rate else g.normal_rate * 0.6 end;
          g.ramp_at := g.spared_until;
          g.next_at := g.spared_until;
          g.ramp_waited_at := g.spared_until;
        end if;
      elsif v.outcome = 'ok' and v.call > g.since_no then
        g.failure_count := 0;
        g.throttle_count := 0;
      end if;

      if v.call > g.since_no then
        if v.outcome = 'away' and g.opened_at is null then
          g.failure_count := case when g.failed_at > v_now - interval '30 seconds' then g.failure_count else 0 end + 1;
          g.failed_at := v_now;
          g.problem := v.problem;
          if g.failure_count >= 5 then
            if g.ramp_at is null and g.window_at is not null then
              g.normal_rate := coalesce(g.normal_rate, g.window_count / greatest(10, extract(epoch from v_now - g.window_at)));
            end if;
            g.opened_at := v_now;
            g.probe_at := greatest(v_now + interval '5 seconds', v_until);
            g.queue_at := null;
            g.since_no := g.call_no;
          elsif v_until is not null then
            g.spared_until := greatest(g.spared_until, v_until);
          end if;
        elsif v.outcome = 'away' then
          g.problem := v.problem;
          g.probe_at := greatest(g.probe_at, v_until);
        -- Throttled is an answer too.
        elsif v.outcome is not null and g.opened_at is not null then
          g.opened_at := null;
          g.failure_count := 0;
          g.since_no := g.call_no;
          g.ramp_at := greatest(v_now, g.spared_until);
          g.next_at := g.ramp_at;
          g.ramp_waited_at := greatest(g.ramp_at, g.queue_at);
          g.queue_at := null;
        end if;
      end if;
    end loop;
    update baton.provider_gate u set
      heard_at = coalesce(g.heard_at, v_now), limits_no = g.limits_no, limits_at = g.limits_at, limits = g.limits, remaining = g.remaining, rates = g.rates,
      since_no = g.since_no, failure_count = g.failure_count, failed_at = g.failed_at, opened_at = g.opened_at, probe_at = g.probe_at,
      problem = g.problem, spared_until = g.spared_until, throttle_count = g.throttle_count, normal_rate = g.normal_rate,
      ramp_at = g.ramp_at, next_at = g.next_at, ramp_waited_at = g.ramp_waited_at, queue_at = g.queue_at
    where u.key = g.key;
  end loop;
end $$;
