/**
 * A duty repeated by time.
 *
 * 1. Never overlaps itself.
 * 2. A round that fails is counted, logged and followed by growing pauses; it never ends the loop.
 * 3. `stop` resolves when the round under way has ended.
 * 4. A round that somebody woke the loop for follows at once; many calls are one round, and rounds keep apart.
 * 5. Every pause is jittered by ±20 %, so that the workers of an installation spread out.
 */
import type { LogPort, MeterPort } from "@baton/core/ports";

export interface LoopOptions {
  readonly name: string;
  /** One round; resolves to the pause that follows it, in ms. */
  readonly round: (signal: AbortSignal) => Promise<number>;
  readonly meter: MeterPort;
  readonly log: LogPort;
  /** Milliseconds of a monotonic clock. */
  readonly monotonic: () => number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

export interface Loop {
  /** There is something to find now. */
  wake(): void;
  stop(): Promise<void>;
}

/** Between two rounds, however often the loop is woken. */
const shortestPauseMs = 20;
const firstBackoffMs = 250;
const longestBackoffMs = 5_000;

export function startLoop(options: LoopOptions): Loop {
  const { name, round, meter, log, monotonic, random } = options;
  const labels = { loop: name };
  const stopping = new AbortController();
  let failures = 0;
  let isWoken = false;
  let longPause = new AbortController();

  async function runRound(): Promise<number> {
    const startedAt = monotonic();
    try {
      const pauseMs = await round(stopping.signal);
      failures = 0;
      meter.count("baton_loop_rounds_total", { ...labels, result: "ok" });
      return pauseMs;
    } catch (error) {
      failures += 1;
      const pauseMs = Math.min(longestBackoffMs, firstBackoffMs * 2 ** (failures - 1));
      meter.count("baton_loop_rounds_total", { ...labels, result: "failed" });
      log.warn("loop-round-failed", { loop: name, failures, retryInMs: pauseMs, error });
      return pauseMs;
    } finally {
      meter.observe("baton_loop_round_ms", monotonic() - startedAt, labels);
      meter.gauge("baton_loop_failures", failures, labels);
    }
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      isWoken = false;
      const pauseMs = (await runRound()) * (0.8 + 0.4 * random());
      await pause(Math.min(pauseMs, shortestPauseMs), stopping.signal);
      if (isWoken && failures === 0) continue;
      longPause = new AbortController();
      if (!stopping.signal.aborted) await pause(Math.max(0, pauseMs - shortestPauseMs), longPause.signal);
    }
  }

  const running = run();
  return {
    wake() {
      isWoken = true;
      if (failures === 0) longPause.abort();
    },
    async stop() {
      stopping.abort();
      longPause.abort();
      await running;
    },
  };
}

async function pause(ms: number, over: AbortSignal): Promise<void> {
  if (over.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  const onAbort = () => resolve();
  over.addEventListener("abort", onAbort, { once: true });
  await promise;
  clearTimeout(timer);
  over.removeEventListener("abort", onAbort);
}
