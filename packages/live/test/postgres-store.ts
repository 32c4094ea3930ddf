/** The statements that src/postgres.ts asks of the store, on a plain client. */
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import type { LiveListener, PostgresLiveStore } from "@baton/live";

export const schema = `
create unlogged table live_message (
  topic text not null, cursor bigint not null, payload text not null,
  created_at timestamptz not null default clock_timestamp(), primary key (topic, cursor));
create index live_message_created_at on live_message (created_at);
create function append_live(p_topics text[], p_payloads text[]) returns void language plpgsql as $$
declare
  entry record;
  now_us bigint;
begin
  perform pg_advisory_xact_lock(key) from (
    select distinct hashtextextended('live:' || topic, 0) as key from unnest(p_topics) as topic order by key) as keys;
  now_us := (extract(epoch from clock_timestamp()) * 1000000)::bigint;
  for entry in
    insert into live_message (topic, cursor, payload)
    select given.topic, greatest(newest.cursor, now_us) + given.no, given.payload
      from unnest(p_topics, p_payloads) with ordinality as given (topic, payload, no)
     cross join lateral (
       select coalesce(max(m.cursor), 0) as cursor from live_message m where m.topic = given.topic) as newest
     order by given.no
    returning topic, cursor, payload
  loop
    perform pg_notify('baton_live', entry.topic || E'\\n' || entry.cursor || E'\\n' || entry.payload);
  end loop;
end $$;
`;

const replay = `
select cursor::text, payload from (
  select cursor, payload from live_message
   where topic = $1 and cursor > coalesce($2::bigint, 0) order by cursor desc limit $3) newest order by newest.cursor`;

export function plainStore(url: string, onError: (error: Error) => void): PostgresLiveStore & { end(): Promise<void> } {
  const pool = new pg.Pool({ connectionString: url, max: 3, connectionTimeoutMillis: 1_000 });
  pool.on("error", onError);
  return {
    async append(topics, payloads) {
      await pool.query("select append_live($1, $2)", [topics, payloads]);
    },
    async replay(topic, after, limit) {
      return (await pool.query<{ cursor: string; payload: string }>(replay, [topic, after ?? null, limit])).rows;
    },
    listen: (channel, listener) => listen(url, channel, listener, onError),
    end: () => pool.end(),
  };
}

async function listen(
  url: string,
  channel: string,
  listener: LiveListener,
  onError: (error: Error) => void,
): Promise<{ close(): Promise<void> }> {
  let client: pg.Client | undefined;
  let isClosed = false;

  async function connect(): Promise<void> {
    const next = new pg.Client({ connectionString: url, application_name: "baton-live-follower" });
    next.on("error", onError);
    next.on("notification", ({ payload }) => listener.onPayload(payload ?? ""));
    await next.connect();
    await next.query(`listen ${channel}`);
    next.once("end", () => {
      listener.onLost();
      void reconnect();
    });
    client = next;
  }

  async function reconnect(): Promise<void> {
    while (!isClosed) {
      try {
        await connect();
        listener.onBack();
        return;
      } catch (error) {
        onError(error as Error);
        await sleep(100);
      }
    }
  }

  await connect();
  return {
    async close() {
      isClosed = true;
      await client?.end();
    },
  };
}
