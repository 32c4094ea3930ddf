/**
 * The heap of a process of its own.
 *
 * 1. V8 lets a small heap grow to four times what it found alive before it looks again. What waits for a tenth of a
 *    second, or from one piece of a model's answer to the next, has outlived the young generation by then, so the heap
 *    fills with what is over: of 1,000 tasks under way, 140 MB where 45 MB are alive.
 * 2. What starting leaves behind is half of an idle heap, and nothing else makes V8 look at it for minutes.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Percent beyond what was alive. A collection then comes every few seconds of full load, and runs beside it. */
const growth = 20;

/** To be called once, when the process has started. */
export function keepHeapSmall(): void {
  setFlagsFromString(`--heap-growing-percent=${growth}`);
  setFlagsFromString("--expose-gc");
  // The flag counts for contexts that are made from then on.
  const collect = runInNewContext("gc") as () => void;
  setFlagsFromString("--no-expose-gc");
  collect();
}
