-- acquire(key, max, duration): 0 when the caller may go on (and the acquisition is recorded), else the
-- ms to wait. Sliding window over the last p_max acquisitions, by the database's clock.
-- Lock order: the key's row only. Index: rate_limit primary key. Rows: one.
create function baton_v1.acquire(p_key text, p_max int, p_duration_ms bigint)
returns bigint language plpgsql
as $$
declare
  v_now timestamptz;
  v_times timestamptz[];
  v_wait bigint;
begin
  insert into baton.rate_limit (key, acquired_at) values (p_key, '{}') on conflict (key) do nothing;
  select acquired_at from baton.rate_limit where key = p_key for update into v_times;
  v_now := baton.clock();
  if cardinality(v_times) >= p_max then
    v_wait := ceil(extract(epoch from v_times[cardinality(v_times) - p_max + 1] + make_interval(secs => p_duration_ms / 1000.0) - v_now) * 1000);
    if v_wait > 0 then
      return v_wait;
    end if;
  end if;
  update baton.rate_limit set acquired_at = (v_times || v_now)[greatest(1, cardinality(v_times) + 2 - p_max):] where key = p_key;
  return 0;
end $$;
