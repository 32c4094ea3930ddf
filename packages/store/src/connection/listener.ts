/**
 * The process's one LISTEN connection.
 *
 * 1. It comes back by itself. Every subscriber hears `onLost` before any payload of the next
 *    connection, and `onBack` when LISTEN is confirmed again.
 * 2. A half-open connection is noticed within two probe intervals: the probe is a query of its own.
 */
import pg from "pg";
import { dropConnection } from "./drop-connection.ts";

export interface ListenHandlers {
  onPayload(payload: string): void;
  onLost(): void;
  onBack(): void;
}

export interface Listener {
  /** Rejects when the first connection fails. */
  listen(channel: string, handlers: ListenHandlers): Promise<{ close(): Promise<void> }>;
  close(): Promise<void>;
}

export interface ListenerOptions {
  readonly url: string;
  readonly applicationName: string;
  readonly onError: (error: Error) => void;
  /** How often the connection is tried, and how long an answer may take. */
  readonly probeMs?: number;
}

interface Subscriber {
  readonly channel: string;
  readonly handlers: ListenHandlers;
}

export function openListener(options: ListenerOptions): Listener {
  const probeMs = options.probeMs ?? 5_000;
  const subscribers = new Set<Subscriber>();
  let client: pg.Client | undefined;
  let connecting: Promise<pg.Client> | undefined;
  let isClosed = false;
  let comingBack: NodeJS.Timeout | undefined;
  // Statements of one connection go one after the other: pg no longer queues them.
  let turn: Promise<unknown> = Promise.resolve();

  const inTurn = (on: pg.Client, text: string): Promise<unknown> => {
    const next = turn.then(
      () => on.query(text),
      () => on.query(text),
    );
    turn = next.catch(() => undefined);
    return next;
  };

  const lose = (lost: pg.Client): void => {
    if (client !== lost) return;
    client = undefined;
    for (const { handlers } of subscribers) handlers.onLost();
    if (!isClosed) comeBack(50);
  };

  const comeBack = (delayMs: number): void => {
    comingBack = setTimeout(() => {
      if (isClosed || subscribers.size === 0) return;
      connect().then(
        () => {
          for (const { handlers } of subscribers) handlers.onBack();
        },
        (error: Error) => {
          options.onError(error);
          if (!isClosed) comeBack(Math.min(delayMs * 2, 2_000));
        },
      );
    }, delayMs);
  };

  const open = async (): Promise<pg.Client> => {
    const fresh = new pg.Client({
      connectionString: options.url,
      application_name: `${options.applicationName}-listen`,
      keepAlive: true,
      connectionTimeoutMillis: probeMs,
      query_timeout: probeMs,
    });
    fresh.on("error", options.onError);
    fresh.on("notification", ({ channel, payload }) => {
      for (const subscriber of subscribers)
        if (subscriber.channel === channel) subscriber.handlers.onPayload(payload ?? "");
    });
    try {
      await fresh.connect();
      for (const channel of new Set([...subscribers].map((each) => each.channel)))
        await inTurn(fresh, listenTo(channel));
    } catch (error) {
      dropConnection(fresh);
      throw error;
    }
    const probe = setInterval(() => {
      inTurn(fresh, "select 1").catch((error: Error) => {
        options.onError(error);
        dropConnection(fresh);
      });
    }, probeMs);
    fresh.once("end", () => {
      clearInterval(probe);
      lose(fresh);
    });
    client = fresh;
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
    listen: async (channel, handlers) => {
      const subscriber: Subscriber = { channel, handlers };
      const known = [...subscribers].some((each) => each.channel === channel);
      subscribers.add(subscriber);
      try {
        const connection = await connect();
        if (!known) await inTurn(connection, listenTo(channel));
      } catch (error) {
        subscribers.delete(subscriber);
        throw error;
      }
      return {
        close: async () => {
          subscribers.delete(subscriber);
        },
      };
    },
    close: async () => {
      isClosed = true;
      clearTimeout(comingBack);
      subscribers.clear();
      // One that is just coming back would outlive this; that it fails is no news any more.
      await connecting?.catch(() => undefined);
      const open = client;
      client = undefined;
      await open?.end();
    },
  };
}

function listenTo(channel: string): string {
  return `listen ${pg.escapeIdentifier(channel)}`;
}
