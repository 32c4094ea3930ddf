/** What the live channel needs of PostgreSQL; see append-live.sql. */
import type { Connections } from "../connection/pools.ts";
import type { ListenHandlers, Listener } from "../connection/listener.ts";

export interface LiveEntryRow {
  readonly cursor: string;
  readonly payload: string;
}

export interface LiveStore {
  append(topics: readonly string[], payloads: readonly string[]): Promise<void>;
  replay(topic: string, after: string | undefined, limit: number): Promise<readonly LiveEntryRow[]>;
  listen(channel: string, handlers: ListenHandlers): Promise<{ close(): Promise<void> }>;
}

export function createLiveStore(connections: Connections, listener: Listener): LiveStore {
  return {
    append: async (topics, payloads) => {
      await connections.engine("select baton_v1.append_live($1, $2)", [topics, payloads]);
    },
    // Index: live_message primary key.
    replay: (topic, after, limit) =>
      connections.engine<{ cursor: string; payload: string }>(
        `select cursor::text, payload from (
           select cursor, payload from baton.live_message
           where topic = $1 and cursor > coalesce($2::bigint, 0) order by cursor desc limit $3) newest
         order by newest.cursor`,
        [topic, after ?? null, limit],
      ),
    listen: (channel, handlers) => listener.listen(channel, handlers),
  };
}
