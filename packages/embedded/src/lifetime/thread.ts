/** The thread behind lifetime.ts: it does nothing but wait for the end of the pipe. */
import { Socket } from "node:net";
import { workerData } from "node:worker_threads";

const { fd, graceMs } = workerData as { fd: number; graceMs: number };

const pipe = new Socket({ fd, readable: true, writable: false });
pipe.once("close", () => {
  process.kill(process.pid, "SIGTERM");
  setTimeout(() => process.kill(process.pid, "SIGKILL"), graceMs);
});
pipe.once("error", () => pipe.destroy());
pipe.resume();
