import { afterAll, afterEach, describe, expect, it } from "vitest";
import { stoppableRedis } from "@baton/testing/conformance";
import { createRedisLimiter, openRedisConnection } from "@baton/queue";

const server = await stoppableRedis();
const missing = "unavailable" in server ? ` [skipped: ${server.unavailable}]` : "";
const url = "url" in server ? server.url : "";

describe.skipIf(missing !== "")(`the shared rate limiter${missing}`, () => {
  const ends: (() => void)[] = [];

  afterAll(async () => {
    if ("close" in server) await server.close();
  });
  afterEach(() => {
    for (const end of ends.splice(0)) end();
  });

  async function limiter(outageMs = 30_000) {
    const connection = await openRedisConnection(url, () => undefined);
    ends.push(() => connection.disconnect());
    return { connection, ...createRedisLimiter({ connection, outageMs }) };
  }

  const never = new AbortController().signal;

  it("lets no span of the duration carry more than max, over three processes", async () => {
    const limit = { max: 5, durationMs: 300 };
    const limiters = await Promise.all([limiter(), limiter(), limiter()]);
    const probe = limiters[0]!.connection;
    const stamps: number[] = [];
    await Promise.all(
      Array.from({ length: 20 }, async (_, index) => {
        await limiters[index % 3]!.acquire("model", limit, never);
        stamps.push(performance.now());
      }),
    );
    stamps.sort((a, b) => a - b);
    // The server's clock decides and these stamps are taken after its answer: 20 acquisitions need three full spans.
    expect(stamps.at(-1)! - stamps[0]!).toBeGreaterThan(2 * limit.durationMs);
    expect(await probe.llen("{baton}:limit:model")).toBeLessThanOrEqual(5);
    expect(await probe.pttl("{baton}:limit:model")).toBeGreaterThan(-2);
  });

  it("serves the callers of one process in the order they came", async () => {
    const { acquire } = await limiter();
    const order: number[] = [];
    await Promise.all(
      Array.from({ length: 9 }, async (_, index) => {
        await acquire("order", { max: 3, durationMs: 50 }, never);
        order.push(index);
      }),
    );
    expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it("leaves at once with the signal's reason, also when it is queued behind another caller", async () => {
    const { acquire } = await limiter();
    const limit = { max: 1, durationMs: 60_000 };
    await acquire("abort", limit, never);
    const [first, second] = [new AbortController(), new AbortController()];
    const waiting = [acquire("abort", limit, first.signal), acquire("abort", limit, second.signal)];
    second.abort(new Error("second left"));
    await expect(waiting[1]).rejects.toThrow("second left");
    first.abort(new Error("first left"));
    await expect(waiting[0]).rejects.toThrow("first left");
    await expect(acquire("abort", limit, AbortSignal.abort(new Error("came late")))).rejects.toThrow("came late");
  });

  it("keeps keys apart", async () => {
    const { acquire } = await limiter();
    await acquire("a", { max: 1, durationMs: 60_000 }, never);
    await acquire("b", { max: 1, durationMs: 60_000 }, never);
  });

  it("refuses a limit that is not a positive whole number", async () => {
    const { acquire } = await limiter();
    await expect(acquire("x", { max: 0, durationMs: 1 }, never)).rejects.toThrow("max");
    await expect(acquire("x", { max: 1, durationMs: 0.5 }, never)).rejects.toThrow("durationMs");
  });

  it("waits through an outage, and refuses when it lasts", async () => {
    const patient = await limiter();
    const impatient = await limiter(0);
    if (!("stop" in server)) return;
    await server.stop();
    const waiting = patient.acquire("outage", { max: 1, durationMs: 10 }, never);
    await expect(impatient.acquire("outage", { max: 1, durationMs: 10 }, never)).rejects.toMatchObject({
      code: "queue-unavailable",
    });
    await server.start();
    await waiting;
  });
});
