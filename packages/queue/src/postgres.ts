/**
 * The queue on PostgreSQL: BullMQ's own tables in a schema of their own.
 *
 * 1. Connections are counted: `producerConnections` for all queues of the process, and per consumer
 *    `consumerConnections` and one that listens.
 * 2. Migrations run when the queue is opened, under BullMQ's advisory lock per schema, so any number of
 *    processes may start at once.
 * 3. `pg` is loaded by BullMQ itself from plain settings: this room names it in package.json and imports
 *    it nowhere.
 */
import { PostgresConnection, PostgresQueueBackend, Queue } from "bullmq";
import type { BackendFactory, PostgresPoolConfig } from "bullmq";
import type { QueuePort } from "@baton/core/ports";
import type { Backend, MessageQueue } from "./backend.ts";
import { queueSettings, workerSettings } from "./backend.ts";
import { within } from "./deadline.ts";
import { BullQueue } from "./port.ts";
import { unavailable } from "./unavailable.ts";
import { WatchedBackend } from "./watched-backend.ts";
import { PoolWorker } from "./worker.ts";

export interface PostgresQueueOptions {
  readonly url: string;
  /** The schema of BullMQ's tables. Default `bullmq`. */
  readonly schema?: string;
  /** Default 2. */
  readonly producerConnections?: number;
  /** Per consumer, without the one that listens. Default 4. */
  readonly consumerConnections?: number;
  /** Connection trouble of producers, for logs and metrics. */
  readonly onError: (error: Error) => void;
}

const startMs = 15_000;
/** A consumer's statements concern one message. */
const consumerAnswerMs = 5_000;

/** Rejects with `queue-unavailable` when PostgreSQL does not answer at the start. */
export async function openPostgresQueue(options: PostgresQueueOptions): Promise<QueuePort> {
  const { url, schema = "bullmq", producerConnections = 2, consumerConnections = 4, onError } = options;
  const settings = poolSettings(url, schema);
  const producer = new PostgresConnection({ ...settings, max: Math.max(2, producerConnections), migrate: true });
  producer.on("error", onError);
  try {
    await within(startMs, producer.waitUntilReady());
  } catch (cause) {
    await within(1_000, producer.close(), () => undefined);
    throw unavailable("postgres", "nothing was started", cause);
  }
  const sharing: BackendFactory<PostgresQueueBackend, PostgresPoolConfig> = (name, queueOptions) =>
    new PostgresQueueBackend(producer, name, queueOptions, false);
  const watching: BackendFactory<PostgresQueueBackend, PostgresPoolConfig> = (name, queueOptions) =>
    new WatchedBackend(new PostgresConnection(queueOptions.connection), name, queueOptions);
  const backend: Backend = {
    kind: "postgres",
    openQueue: (name) =>
      new Queue(name, { ...queueSettings, connection: settings }, sharing) as unknown as MessageQueue,
    openWorker: ({ queueName, slots, perform }) =>
      PoolWorker.open(
        queueName,
        perform,
        {
          ...workerSettings,
          concurrency: slots,
          connection: { ...settings, query_timeout: consumerAnswerMs, max: Math.max(2, consumerConnections) },
        },
        watching,
      ),
    // The pool opens connections on demand, so only trying tells.
    isReachable: () => true,
    close: () => {
      // pg counts a connection as closed before the server does; what the server says in between is no news.
      producer.off("error", onError);
      return producer.close();
    },
  };
  return new BullQueue(backend, onError);
}

/** BullMQ adds the search path to `options`; the same setting inside the URL would win over it, so it moves out. */
function poolSettings(url: string, schema: string): PostgresPoolConfig {
  const address = new URL(url);
  const fromUrl = address.searchParams.get("options");
  address.searchParams.delete("options");
  return {
    connectionString: address.href,
    schema,
    keepAlive: true,
    // On a busy machine a new connection takes seconds; who waits for an answer is given one earlier (port.ts).
    connectionTimeoutMillis: 5_000,
    // A server that stops answering must not keep a connection for ever.
    query_timeout: 15_000,
    application_name: "baton-queue",
    ...(fromUrl === null ? {} : { options: fromUrl }),
  };
}
