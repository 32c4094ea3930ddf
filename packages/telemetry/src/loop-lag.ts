/**
 * How long the event loop kept everybody waiting.
 *
 * The figure is the longest delay of the last 10 to 20 seconds: a block shows for at least ten seconds after its end.
 */
import { monitorEventLoopDelay } from "node:perf_hooks";

export interface LoopLag {
  /** In ms. */
  read(): number;
  stop(): void;
}

const windowMs = 10_000;

export function watchLoopLag(): LoopLag {
  const histogram = monitorEventLoopDelay({ resolution: 20 });
  histogram.enable();
  let before = 0;
  const turning = setInterval(() => {
    before = histogram.max / 1e6;
    histogram.reset();
  }, windowMs);
  turning.unref();
  return {
    read: () => Math.max(before, histogram.max / 1e6),
    stop() {
      clearInterval(turning);
      histogram.disable();
    },
  };
}
