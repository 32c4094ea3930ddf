/**
 * A duty repeated by time.
 *
 * 1. Never overlaps itself; a nudge during a round makes one further round follow it.
 * 2. A round that fails is counted, logged and followed by growing pauses; it never ends the loop.
 * 3. `stop` resolves when the round under way has ended.
 * 4. Every pause is jittered by ±20 %, so that the workers of an installation spread out.
 */
import type { LogPort, MeterPort } from "@baton/core/ports";

export interface LoopOptions {
  readonly name: string;
  /** One round; resolves to the pause that follows it, in ms. */
  readonly round: (signal: AbortSignal) => Promise<number>;
  /** A nudged round starts no sooner than this after the last one began; default 0. */
  readonly minSpacingMs?: number;
  readonly maxBackoffMs?: number;
  readonly meter: MeterPort;
  readonly log: LogPort;
  /** Milliseconds of a monotonic clock. */
  readonly monotonic: () => number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

export interface Loop {
  readonly name: string;
  /** Runs the next round now, or right after the one under way. */
  nudge(): void;
  stop(): Promise<void>;
}

const firstBackoffMs = 250;

export function startLoop(options: LoopOptions): Loop {
  const { name, round, meter, log, monotonic, random } = options;
  const labels = { loop: name };
  const stopping = new AbortController();
  let failures = 0;
  let nudged = false;
  let startedAt = Number.NEGATIVE_INFINITY;
  let wake: (() => void) | undefined;

  async function runRound(): Promise<number> {
    startedAt = monotonic();
    try {
      const pauseMs = await round(stopping.signal);
      failures = 0;
      meter.count("baton_loop_rounds_total", { ...labels, result: "ok" });
      return pauseMs;
    } catch (error) {
      failures += 1;
      const pauseMs = Math.min(options.maxBackoffMs ?? 10_000, firstBackoffMs * 2 ** (failures - 1));
      meter.count("baton_loop_rounds_total", { ...labels, result: "failed" });
      log.warn("loop-round-failed", { loop: name, failures, retryInMs: pauseMs, error });
      return pauseMs;
    } finally {
      meter.observe("baton_loop_round_ms", monotonic() - startedAt, labels);
      meter.gauge("baton_loop_failures", failures, labels);
    }
  }

  async function pause(ms: number): Promise<void> {
    const spacing = Math.max(0, (options.minSpacingMs ?? 0) - (monotonic() - startedAt));
    // While the duty fails, a nudge must not undo the backoff.
    const asked = nudged && failures === 0 ? spacing : Math.max(spacing, ms * (0.8 + 0.4 * random()));
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, asked);
    wake = () => {
      if (stopping.signal.aborted) return resolve();
      if (failures > 0) return;
      wake = undefined;
      setTimeout(resolve, Math.max(0, (options.minSpacingMs ?? 0) - (monotonic() - startedAt)));
    };
    await promise;
    clearTimeout(timer);
    wake = undefined;
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      nudged = false;
      const pauseMs = await runRound();
      if (!stopping.signal.aborted) await pause(pauseMs);
    }
  }

  const running = run();
  return {
    name,
    nudge() {
      nudged = true;
      wake?.();
    },
    async stop() {
      stopping.abort();
      wake?.();
      await running;
    },
  };
}
