/**
 * The process's one LISTEN connection.
 *
 * 1. It comes back by itself; after each return `onGap` tells every subscriber that notifications may
 *    have been missed.
 * 2. A half-open connection is noticed within two probe intervals: the probe is a query of its own.
 */
import pg from "pg";

export interface Listener {
  listen(channel: string, onPayload: (payload: string) => void, onGap: () => void): Promise<{ close(): Promise<void> }>;
  close(): Promise<void>;
}

interface Subscriber {
  readonly channel: string;
  readonly onPayload: (payload: string) => void;
  readonly onGap: () => void;
}

const probeMs = 5_000;

export function openListener(options: {
  readonly url: string;
  readonly applicationName: string;
  readonly onError: (error: Error) => void;
}): Listener {
  const subscribers = new Set<Subscriber>();
  let client: pg.Client | undefined;
  let connecting: Promise<pg.Client> | undefined;
  let closed = false;
  let retry: NodeJS.Timeout | undefined;

  const lose = (lost: pg.Client, error?: Error): void => {
    if (client !== lost) return;
    client = undefined;
    if (error !== undefined) options.onError(error);
    lost.end().catch(options.onError);
    if (!closed && subscribers.size > 0) comeBack(100);
  };

  const comeBack = (delayMs: number): void => {
    retry = setTimeout(() => {
      connect().then(
        () => {
          for (const subscriber of subscribers) subscriber.onGap();
        },
        (error: Error) => {
          options.onError(error);
          if (!closed) comeBack(Math.min(delayMs * 2, 2_000));
        },
      );
    }, delayMs);
  };

  const open = async (): Promise<pg.Client> => {
    const fresh = new pg.Client({
      connectionString: options.url,
      application_name: options.applicationName,
      keepAlive: true,
      connectionTimeoutMillis: 5_000,
      query_timeout: probeMs,
    });
    fresh.on("error", (error) => lose(fresh, error));
    fresh.on("end", () => lose(fresh));
    fresh.on("notification", ({ channel, payload }) => {
      for (const subscriber of subscribers) if (subscriber.channel === channel) subscriber.onPayload(payload ?? "");
    });
    await fresh.connect();
    client = fresh;
    for (const channel of new Set([...subscribers].map((each) => each.channel)))
      await fresh.query(`listen ${pg.escapeIdentifier(channel)}`);
    const probe = setInterval(() => {
      fresh.query("select 1").catch((error: Error) => lose(fresh, error));
    }, probeMs);
    fresh.on("end", () => clearInterval(probe));
    return fresh;
  };

  const connect = (): Promise<pg.Client> => {
    if (client !== undefined) return Promise.resolve(client);
    connecting ??= open().finally(() => {
      connecting = undefined;
    });
    return connecting;
  };

  return {
    listen: async (channel, onPayload, onGap) => {
      const subscriber: Subscriber = { channel, onPayload, onGap };
      subscribers.add(subscriber);
      const open = await connect();
      await open.query(`listen ${pg.escapeIdentifier(channel)}`);
      return {
        close: async () => {
          subscribers.delete(subscriber);
          const unused = ![...subscribers].some((each) => each.channel === channel);
          if (unused && client !== undefined) await client.query(`unlisten ${pg.escapeIdentifier(channel)}`);
        },
      };
    },
    close: async () => {
      closed = true;
      clearTimeout(retry);
      subscribers.clear();
      const open = client;
      client = undefined;
      await open?.end();
    },
  };
}
