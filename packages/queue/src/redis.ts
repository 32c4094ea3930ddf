/** The queue on Redis: one shared connection for what a caller waits for, two per consumer. */
import { createRedisBackend, Queue } from "bullmq";
import type { QueuePort } from "@baton/core/ports";
import type { Backend, MessageQueue } from "./backend.ts";
import { queueSettings, workerSettings } from "./backend.ts";
import { openRedisConnection, patient, serverWarnings } from "./connection.ts";
import { BullQueue } from "./port.ts";
import { PoolWorker } from "./worker.ts";

export interface RedisQueueOptions {
  readonly url: string;
  /** In front of every key. The braces keep all keys of the queue on one node of a Redis cluster. Default `{baton}`. */
  readonly prefix?: string;
  /** Connection trouble of producers, for logs and metrics. */
  readonly onError: (error: Error) => void;
  /** Settings of the server that endanger messages, once at the start. */
  readonly onWarning?: (message: string) => void;
}

/** Rejects with `queue-unavailable` when Redis does not answer at the start. */
export async function openRedisQueue(options: RedisQueueOptions): Promise<QueuePort> {
  const { url, prefix = "{baton}", onError, onWarning } = options;
  const producer = await openRedisConnection(url, onError);
  for (const warning of await serverWarnings(producer)) onWarning?.(warning);
  const backend: Backend = {
    kind: "redis",
    openQueue: (name) =>
      new Queue(
        name,
        { ...queueSettings, prefix, connection: producer, skipVersionCheck: true },
        createRedisBackend,
      ) as unknown as MessageQueue,
    openWorker: ({ queueName, slots, perform }) =>
      PoolWorker.open(
        queueName,
        perform,
        { ...workerSettings, prefix, concurrency: slots, connection: { ...patient, url }, skipVersionCheck: true },
        createRedisBackend,
      ),
    isReachable: () => producer.status === "ready",
    close: async () => producer.disconnect(),
  };
  return new BullQueue(backend, onError);
}
