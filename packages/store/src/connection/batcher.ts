/**
 * Natural batching: a write that finds no flush in flight goes at once; what arrives during a flush
 * forms the next.
 *
 * Purpose: one round trip and one commit for many attempts without adding latency to a lone one.
 * Boundary: knows nothing of SQL; a flush function is handed in.
 *
 * 1. One flush at a time, of at most `maxItems` items and `maxBytes` bytes.
 * 2. A data error (SQLSTATE 22xxx, 23xxx, BT003) splits the flush until the one bad item stands alone; the
 *    others go through.
 * 3. A transient error (40001, 40P01, 08xxx, 57P0x) retries the flush whole under the same flush id,
 *    because a commit's reply may have been lost.
 */
import { BatonError } from "@baton/core";
import { classifyDatabaseError } from "./database-error.ts";
import { patiently } from "./patience.ts";

export interface BatcherOptions<Item, Answer> {
  readonly maxItems: number;
  readonly maxBytes: number;
  readonly sizeOf: (item: Item) => number;
  readonly newFlushId: () => string;
  /** One answer per item, in the order of the items. */
  readonly flush: (items: readonly Item[], flushId: string) => Promise<readonly Answer[]>;
  /** How long transient errors are retried before the callers hear `store-unavailable`. */
  readonly patienceMs: number;
}

export interface Batcher<Item, Answer> {
  add(item: Item): Promise<Answer>;
  /** Resolves when nothing is queued or in flight. */
  idle(): Promise<void>;
  readonly queuedCount: number;
}

interface Waiting<Item, Answer> {
  readonly item: Item;
  readonly bytes: number;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

export function createBatcher<Item, Answer>(options: BatcherOptions<Item, Answer>): Batcher<Item, Answer> {
  let queue: Waiting<Item, Answer>[] = [];
  let isFlushing = false;
  let idleWaiters: (() => void)[] = [];

  const take = (): Waiting<Item, Answer>[] => {
    let bytes = 0;
    let count = 0;
    while (count < queue.length && count < options.maxItems) {
      bytes += queue[count]?.bytes ?? 0;
      if (count > 0 && bytes > options.maxBytes) break;
      count += 1;
    }
    const batch = queue.slice(0, count);
    queue = queue.slice(count);
    return batch;
  };

  const run = async (batch: readonly Waiting<Item, Answer>[]): Promise<void> => {
    try {
      const answers = await flushPatiently(batch, options);
      batch.forEach((waiting, index) => {
        waiting.resolve(answers[index] as Answer);
      });
    } catch (error) {
      if (classifyDatabaseError(error) !== "data" || batch.length === 1) {
        for (const waiting of batch) waiting.reject(error);
        return;
      }
      const half = Math.ceil(batch.length / 2);
      await run(batch.slice(0, half));
      await run(batch.slice(half));
    }
  };

  const pump = (): void => {
    if (isFlushing) return;
    if (queue.length > 0) {
      isFlushing = true;
      void run(take()).finally(() => {
        isFlushing = false;
        pump();
      });
      return;
    }
    const waiters = idleWaiters;
    idleWaiters = [];
    for (const wake of waiters) wake();
  };

  return {
    add: (item) =>
      new Promise<Answer>((resolve, reject) => {
        queue.push({ item, bytes: options.sizeOf(item), resolve, reject });
        // Items added in one turn of the event loop travel together: what one answer sets going comes here by promises.
        if (queue.length === 1) setImmediate(pump);
      }),
    idle: () =>
      new Promise<void>((resolve) => {
        idleWaiters.push(resolve);
        pump();
      }),
    get queuedCount() {
      return queue.length;
    },
  };
}

async function flushPatiently<Item, Answer>(
  batch: readonly Waiting<Item, Answer>[],
  options: BatcherOptions<Item, Answer>,
): Promise<readonly Answer[]> {
  const flushId = options.newFlushId();
  const items = batch.map((waiting) => waiting.item);
  try {
    return await patiently(() => options.flush(items, flushId), options.patienceMs);
  } catch (error) {
    if (classifyDatabaseError(error) !== "transient") throw error;
    throw new BatonError("store-unavailable", "PostgreSQL did not answer; the outcome is not known.", { cause: error });
  }
}
