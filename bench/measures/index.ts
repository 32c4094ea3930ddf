/** The measures, in the order in which they run. `peers` runs only when it is asked for. */
import { active } from "./active.ts";
import { chain } from "./chain.ts";
import { comparison } from "./comparison.ts";
import { fanOut } from "./fan-out.ts";
import { idleWorker } from "./idle-worker.ts";
import { inFlight } from "./in-flight.ts";
import { idleChain, startLatency } from "./latency.ts";
import type { Measure } from "./measure.ts";
import { plan } from "./plan.ts";
import { stored } from "./stored.ts";
import { streams } from "./streams.ts";
import { wide } from "./wide.ts";
import { workers } from "./workers.ts";

export const measures: readonly Measure[] = [
  chain,
  idleChain,
  startLatency,
  fanOut,
  wide,
  active,
  inFlight,
  streams,
  workers,
  stored,
  idleWorker,
  plan,
  comparison,
];
