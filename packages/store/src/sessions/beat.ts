/** The thread that renews a session's lease. What it does when is in lease.ts; here are its clocks and its connection. */
import { once } from "node:events";
import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { type BeatConnectionOptions, createBeatConnection } from "./beat-connection.ts";
import { createLease, type Grant, type ToBeat } from "./lease.ts";
import { monotonicMs } from "./monotonic-clock.ts";

const data = workerData as BeatConnectionOptions;
const port = parentPort as MessagePort;
const connection = createBeatConnection(data);
await connection.prepare();
const granted = once(port, "message") as Promise<[Grant]>;
port.postMessage("ready");
const [{ grantedAt }] = await granted;
const lease = createLease({
  leaseMs: data.leaseMs,
  grantedAt,
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
