/** The thread that renews a session's lease. What it does when is in lease.ts; here are its clocks and its connection. */
import { once } from "node:events";
import { writeSync } from "node:fs";
import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { type BeatConnectionOptions, createBeatConnection } from "./beat-connection.ts";
import { createLease, type Grant, type ToBeat } from "./lease.ts";
import { findHolder } from "./main-thread.ts";
import { monotonicMs } from "./monotonic-clock.ts";

/** For finding out who holds the main thread, which takes milliseconds, and for giving up the rest. */
const findingMs = 2_000;
const givingUpMs = 1_500;

const data = workerData as BeatConnectionOptions;
const port = parentPort as MessagePort;
const connection = createBeatConnection(data);
await connection.prepare();
const granted = once(port, "message") as Promise<[Grant]>;
port.postMessage("ready");
const [{ grantedAt }] = await granted;
const end = (): void => void process.kill(process.pid, "SIGKILL");

async function giveUp(): Promise<void> {
  setTimeout(end, findingMs + givingUpMs);
  const holder = await findHolder(data.sessionId, findingMs);
  const where = holder === undefined ? "It could not be asked where it was." : `It was ${holder.where}.`;
  const line = { level: "error", event: "main-thread-blocked", sessionId: data.sessionId, ...holder?.attempt, where };
  // A thread's own stderr goes through the main thread.
  writeSync(2, `${JSON.stringify(line)}\n`);
  // Without an answer everybody counts a crash when the lease has run out.
  await connection.endBlocked(holder?.attempt, where).catch(() => undefined);
  end();
}

const lease = createLease({
  leaseMs: data.leaseMs,
  grantedAt,
  beat: connection.beat,
  monotonicMs,
  unixMs: Date.now,
  tell: (message) => port.postMessage(message),
  kill: end,
  giveUp: () => void giveUp(),
});

port.on("message", (message: ToBeat) => lease.hear(message));
setInterval(lease.fence, Math.min(400, data.leaseMs / 20));
while (!lease.isLost) {
  const startedAt = monotonicMs();
  await lease.renew();
  await new Promise((resolve) => setTimeout(resolve, Math.max(50, data.beatMs - (monotonicMs() - startedAt))));
}
connection.close();
