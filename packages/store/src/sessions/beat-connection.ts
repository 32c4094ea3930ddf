/**
 * The connection over which a session's thread renews its lease.
 *
 * 1. It is opened when it is needed and again after it broke; one beat waits at most `beatMs` for each of the
 *    connection and the answer.
 * 2. A connection that did not answer may be half open: it is dropped without a goodbye, which would cost the lease.
 */
import pg from "pg";
import type { AttemptNow } from "@baton/core/ports";
import { dropConnection } from "../connection/drop-connection.ts";
import type { BeatAnswer } from "./lease.ts";

export interface BeatConnection {
  /** Makes ready for the first beat; a server that does not answer is left for the beat to find. */
  prepare(): Promise<void>;
  /** One beat; rejects when no answer came in time. */
  beat(): Promise<BeatAnswer>;
  /** Ends the session: the attempt that holds the main thread is charged, or all of them when it is not known. */
  endBlocked(holder: AttemptNow | undefined, where: string): Promise<void>;
  close(): void;
}

export interface BeatConnectionOptions {
  readonly url: string;
  readonly sessionId: string;
  readonly beatMs: number;
  readonly leaseMs: number;
}

export function createBeatConnection({ url, sessionId, beatMs, leaseMs }: BeatConnectionOptions): BeatConnection {
  let client: pg.Client | undefined;

  const open = async (): Promise<pg.Client> => {
    const fresh = new pg.Client({
      connectionString: url,
      application_name: "baton-beat",
      connectionTimeoutMillis: beatMs,
      query_timeout: beatMs,
      keepAlive: true,
    });
    const forget = (): void => {
      if (client === fresh) client = undefined;
    };
    fresh.on("error", forget);
    fresh.on("end", forget);
    client = fresh;
    await fresh.connect();
    await fresh.query("set role baton_engine");
    return fresh;
  };

  const drop = (): void => {
    const dropped = client;
    client = undefined;
    if (dropped !== undefined) dropConnection(dropped);
  };

  const query = async <Row extends pg.QueryResultRow>(text: string, values: readonly unknown[]): Promise<Row[]> => {
    try {
      const connection = client ?? (await open());
      return (await connection.query<Row>(text, [...values])).rows;
    } catch (error) {
      drop();
      throw error;
    }
  };

  return {
    prepare: async () => {
      await open().catch(drop);
    },
    beat: async () => {
      const [row] = await query<{ beat: BeatAnswer }>("select baton_v1.beat($1, $2) as beat", [sessionId, leaseMs]);
      return row?.beat ?? { alive: false, stop: [] };
    },
    endBlocked: async (holder, where) => {
      const guilty = holder === undefined ? null : JSON.stringify({ s: holder.ref.stepId, a: holder.attemptNo });
      await query("select baton_v1.end_blocked($1, $2, $3)", [sessionId, guilty, where]);
    },
    close: drop,
  };
}
