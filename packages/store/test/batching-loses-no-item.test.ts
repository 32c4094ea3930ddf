import { BatonError } from "@baton/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type BatcherOptions, createBatcher } from "../src/connection/batcher.ts";

const databaseError = (code: string): Error => Object.assign(new Error(`SQLSTATE ${code}`), { code });

interface Item {
  readonly name: number;
  readonly bytes: number;
}

/** A batcher that remembers its flushes; `fail` decides about each before it answers. */
function batcherOf(
  fail: (items: readonly Item[], flushNo: number) => Error | undefined | Promise<Error | undefined> = () => undefined,
  more: Partial<BatcherOptions<Item, string>> = {},
) {
  const flushes: { readonly names: readonly number[]; readonly flushId: string }[] = [];
  let serial = 0;
  let inFlight = 0;
  let most = 0;
  const batcher = createBatcher<Item, string>({
    maxItems: 10,
    maxBytes: 100,
    sizeOf: ({ bytes }) => bytes,
    newFlushId: () => `flush-${serial++}`,
    patienceMs: 60_000,
    flush: async (items, flushId) => {
      flushes.push({ names: items.map(({ name }) => name), flushId });
      inFlight += 1;
      most = Math.max(most, inFlight);
      const error = await fail(items, flushes.length - 1);
      inFlight -= 1;
      if (error !== undefined) throw error;
      return items.map(({ name }) => `answer ${name}`);
    },
    ...more,
  });
  return { batcher, flushes, mostInFlight: () => most };
}

/** Of the event loop. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const items = (count: number, bytes = 1): Item[] => Array.from({ length: count }, (_, name) => ({ name, bytes }));

describe("a flush", () => {
  it("takes at most as many items as are allowed, and what comes meanwhile forms the next", async () => {
    const { batcher, flushes } = batcherOf();
    await Promise.all(items(25).map((item) => batcher.add(item)));
    expect(flushes.map(({ names }) => names.length)).toEqual([10, 10, 5]);
  });

  it("takes at most as many bytes as are allowed, but one item whatever its size", async () => {
    const { batcher, flushes } = batcherOf();
    const sizes = [40, 60, 1, 500, 99, 2];
    await Promise.all(sizes.map((bytes, name) => batcher.add({ name, bytes })));
    expect(flushes.map(({ names }) => names)).toEqual([[0, 1], [2], [3], [4], [5]]);
  });

  it("of a lone item goes at once, and none goes before the one under way has its answer", async () => {
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const { batcher, flushes, mostInFlight } = batcherOf(async () => {
      await held;
      return undefined;
    });
    const answers = [batcher.add({ name: 0, bytes: 1 })];
    await turn();
    expect(flushes).toHaveLength(1);
    answers.push(...[1, 2, 3].map((name) => batcher.add({ name, bytes: 1 })));
    expect(batcher.queuedCount).toBe(3);
    release();
    await Promise.all(answers);
    expect(flushes.map(({ names }) => names)).toEqual([[0], [1, 2, 3]]);
    expect(mostInFlight()).toBe(1);
  });
});

describe("a data error", () => {
  it("rejects exactly the items that cause it; every other item is answered once, in whatever batches they came", async () => {
    const plan = fc.record({
      given: fc.array(fc.record({ bytes: fc.integer({ min: 0, max: 120 }), isBad: fc.boolean() }), { maxLength: 40 }),
      maxItems: fc.integer({ min: 1, max: 12 }),
    });
    await fc.assert(
      fc.asyncProperty(plan, async ({ given, maxItems }) => {
        const written: number[] = [];
        const { batcher } = batcherOf(
          (batch) => {
            if (batch.some(({ name }) => given[name]?.isBad)) return databaseError("22P05");
            written.push(...batch.map(({ name }) => name));
            return undefined;
          },
          { maxItems },
        );
        const settled = await Promise.allSettled(given.map(({ bytes }, name) => batcher.add({ name, bytes })));
        await batcher.idle();
        expect(settled.map(({ status }) => status === "rejected")).toEqual(given.map(({ isBad }) => isBad));
        const good = given.flatMap(({ isBad }, name) => (isBad ? [] : [name]));
        expect(written.toSorted((a, b) => a - b)).toEqual(good);
      }),
      { numRuns: 100 },
    );
  });

  it("inside the driver's wrapper splits as well; any other error rejects the whole flush", async () => {
    const wrapped = new Error("Failed query", { cause: databaseError("23505") });
    const one = batcherOf((batch) => (batch.some(({ name }) => name === 1) ? wrapped : undefined));
    const settled = await Promise.allSettled(items(3).map((item) => one.batcher.add(item)));
    expect(settled.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);

    const other = batcherOf(() => databaseError("42883"));
    const all = await Promise.allSettled(items(3).map((item) => other.batcher.add(item)));
    expect(all.every(({ status }) => status === "rejected")).toBe(true);
    expect(other.flushes).toHaveLength(1);
  });
});

describe("a transient error", () => {
  it("repeats the flush whole and under the same id, because its commit may have happened", async () => {
    const { batcher, flushes } = batcherOf((_, flushNo) => (flushNo < 3 ? databaseError("40P01") : undefined));
    expect(await Promise.all(items(4).map((item) => batcher.add(item)))).toEqual([
      "answer 0",
      "answer 1",
      "answer 2",
      "answer 3",
    ]);
    expect(flushes).toHaveLength(4);
    expect(new Set(flushes.map(({ flushId }) => flushId)).size).toBe(1);
    expect(new Set(flushes.map(({ names }) => names.join())).size).toBe(1);
  });

  it("that lasts longer than the patience is store-unavailable, with its cause", async () => {
    const cause = databaseError("57P01");
    const { batcher } = batcherOf(() => cause, { patienceMs: 0 });
    const settled = await Promise.allSettled(items(2).map((item) => batcher.add(item)));
    for (const each of settled) {
      expect(each.status).toBe("rejected");
      const reason = (each as PromiseRejectedResult).reason as BatonError;
      expect(reason).toBeInstanceOf(BatonError);
      expect(reason).toMatchObject({ code: "store-unavailable", cause });
    }
  });
});

describe("idle()", () => {
  it("resolves at once when nothing is under way, and otherwise after the last answer, refused ones included", async () => {
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const { batcher } = batcherOf(async (batch) => {
      await held;
      return batch.some(({ name }) => name === 3) ? databaseError("22001") : undefined;
    });
    await batcher.idle();
    const order: string[] = [];
    const adding = items(25).map((item) =>
      batcher.add(item).then(
        () => order.push("answered"),
        () => order.push("refused"),
      ),
    );
    const idle = [batcher.idle(), batcher.idle()].map((each) => each.then(() => order.push("idle")));
    await Promise.resolve();
    expect(order).toEqual([]);
    release();
    await Promise.all([...adding, ...idle]);
    expect(order.indexOf("idle")).toBe(25);
    expect(order.filter((each) => each === "refused")).toHaveLength(1);
    expect(batcher.queuedCount).toBe(0);
  });
});
