/** What a queue board shows. */
import type { QueuePort } from "@baton/core/ports";
import { bullQueueOf } from "./port.ts";

/**
 * BullMQ's queue object of each pool, for `new BullMQAdapter(queue)` of @bull-board/api and nothing else.
 * The type stays closed so that BullMQ's types do not spread. Works with both backends; the objects close
 * with the port. Retrying, removing or obliterating there loses no step: the store dispatches again.
 */
export function queueBoardQueues(port: QueuePort, pools: readonly string[]): readonly unknown[] {
  const queue = bullQueueOf(port, "queueBoardQueues");
  return pools.map((pool) => queue.queue(pool));
}
