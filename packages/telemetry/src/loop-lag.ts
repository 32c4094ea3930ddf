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
/** Every look wakes the process; delays that matter are ten times as long. */
const resolutionMs = 200;

export function watchLoopLag(): LoopLag {
  const histogram = monitorEventLoopDelay({ resolution: resolutionMs });
  histogram.enable();
  // What is recorded is the time from one look to the next.
  const longest = () => Math.max(0, histogram.max / 1e6 - resolutionMs);
  let before = 0;
  const turning = setInterval(() => {
    before = longest();
    histogram.reset();
  }, windowMs);
  turning.unref();
  return {
    read: () => Math.max(before, longest()),
    stop() {
      clearInterval(turning);
      histogram.disable();
    },
  };
}
