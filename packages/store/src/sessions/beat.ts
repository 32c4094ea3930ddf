/** The thread that renews a session's lease. What it does when is in lease.ts; here are its clocks and its connection. */
import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { type BeatConnectionOptions, createBeatConnection } from "./beat-connection.ts";
import { createLease, type ToBeat } from "./lease.ts";
import { monotonicMs } from "./monotonic-clock.ts";

export interface BeatData extends BeatConnectionOptions {
  /** When the first lease was asked for, by `monotonicMs`. */
  readonly grantedAt: number;
}

const data = workerData as BeatData;
const port = parentPort as MessagePort;
const connection = createBeatConnection(data);
const lease = createLease({
  leaseMs: data.leaseMs,
  grantedAt: data.grantedAt,
  beat: connection.beat,
  monotonicMs,
  unixMs: Date.now,
  tell: (message) => port.postMessage(message),
  kill: () => process.kill(process.pid, "SIGKILL"),
});

port.on("message", (message: ToBeat) => lease.hear(message));
setInterval(lease.fence, 200);
while (!lease.isLost) {
  const startedAt = monotonicMs();
  await lease.renew();
  await new Promise((resolve) => setTimeout(resolve, Math.max(50, data.beatMs - (monotonicMs() - startedAt))));
}
connection.close();
