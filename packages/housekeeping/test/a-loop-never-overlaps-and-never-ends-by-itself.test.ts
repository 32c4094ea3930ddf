import type { LogPort, MeterPort } from "@baton/core/ports";
import { describe, expect, test } from "vitest";
import { startLoop } from "../src/loop.ts";

function record() {
  const events: string[] = [];
  const log: LogPort = {
    debug: () => {},
    info: () => {},
    error: () => {},
    warn: (event, fields) =>
      void events.push(`${event}:${String(fields?.["failures"])}:${String(fields?.["retryInMs"])}`),
  };
  const gauges: number[] = [];
  const counts: string[] = [];
  const meter: MeterPort = {
    count: (_name, labels) => void counts.push(labels?.["result"] ?? ""),
    gauge: (_name, value) => void gauges.push(value),
    observe: () => {},
  };
  return { events, gauges, counts, log, meter };
}

const options = { name: "duty", monotonic: () => performance.now(), random: () => 0.5 };

describe("a loop", () => {
  test("runs round after round, one at a time, until it is stopped", async () => {
    let [rounds, now, most] = [0, 0, 0];
    const { log, meter } = record();
    const loop = startLoop({
      ...options,
      log,
      meter,
      async round() {
        now += 1;
        most = Math.max(most, now);
        rounds += 1;
        await new Promise((resolve) => setTimeout(resolve, 2));
        now -= 1;
        return 1;
      },
    });
    await expect.poll(() => rounds).toBeGreaterThan(3);
    await loop.stop();
    const atStop = rounds;
    expect({ most, now }).toEqual({ most: 1, now: 0 });
    await new Promise((resolve) => setImmediate(resolve));
    expect(rounds).toBe(atStop);
  });

  test("that is woken in a long pause begins a round, and many wakings during one begin one more", async () => {
    const { log, meter } = record();
    let rounds = 0;
    const loop = startLoop({
      ...options,
      log,
      meter,
      async round() {
        rounds += 1;
        return 3_600_000;
      },
    });
    await expect.poll(() => rounds).toBe(1);
    for (let call = 0; call < 10; call++) loop.wake();
    await expect.poll(() => rounds).toBe(2);
    await loop.stop();
    expect(rounds).toBe(2);
  });

  test("that is woken during a round begins another, and none while rounds fail", async () => {
    const { log, meter } = record();
    let rounds = 0;
    const loop = startLoop({
      ...options,
      log,
      meter,
      async round() {
        rounds += 1;
        if (rounds === 2) throw new Error("away");
        if (rounds === 1) loop.wake();
        return 3_600_000;
      },
    });
    await expect.poll(() => rounds).toBe(2);
    const failedAt = performance.now();
    loop.wake();
    await expect.poll(() => rounds).toBe(3);
    expect(performance.now() - failedAt).toBeGreaterThan(100);
    await loop.stop();
  });

  test("goes on after failures, with growing pauses that logs and metrics show, and forgets them after a success", async () => {
    const { events, gauges, counts, log, meter } = record();
    let rounds = 0;
    const loop = startLoop({
      ...options,
      log,
      meter,
      round() {
        rounds += 1;
        return rounds <= 2 ? Promise.reject(new Error("away")) : Promise.resolve(1);
      },
    });
    await expect.poll(() => rounds, { timeout: 10_000 }).toBeGreaterThan(3);
    await loop.stop();
    expect(events).toEqual(["loop-round-failed:1:250", "loop-round-failed:2:500"]);
    expect(gauges.slice(0, 3)).toEqual([1, 2, 0]);
    expect(counts.slice(0, 3)).toEqual(["failed", "failed", "ok"]);
  });

  test("stops in the middle of a pause, and waits for the round under way", async () => {
    const { log, meter } = record();
    const pausing = startLoop({ ...options, log, meter, round: () => Promise.resolve(3_600_000) });
    await new Promise((resolve) => setImmediate(resolve));
    await pausing.stop();
    const gate = Promise.withResolvers<void>();
    let aborted = false;
    let stopped = false;
    const working = startLoop({
      ...options,
      log,
      meter,
      async round(signal) {
        signal.addEventListener("abort", () => {
          aborted = true;
        });
        await gate.promise;
        return 1;
      },
    });
    const stopping = working.stop().then(() => {
      stopped = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect({ aborted, stopped }).toEqual({ aborted: true, stopped: false });
    gate.resolve();
    await stopping;
  });
});
