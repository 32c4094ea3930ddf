/** What a Redis for tests can do, and the two commands that every kind of it needs: no client is needed for that. */
import { connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

export interface TestRedis {
  /** Stays the same over restarts. */
  readonly url: string;
  /** Lets it shut down in order (SIGTERM). */
  stop(): Promise<void>;
  /** Ends it with SIGKILL. */
  kill(): Promise<void>;
  /** Starts it again, empty, after `stop` or `kill`. */
  start(): Promise<void>;
  restart(): Promise<void>;
  flushAll(): Promise<void>;
  /** Ends it for good and deletes what it left. */
  close(): Promise<void>;
}

/** BullMQ needs `noeviction`; the rest keeps Redis from writing anything to the disk. */
export const redisArguments = ["--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction"];

/** Sends an inline command (redis.io, "inline commands") and gives the first line of the answer. */
export async function redisCommand(port: number, command: string): Promise<string> {
  const socket = connect({ host: "127.0.0.1", port });
  socket.setTimeout(10_000, () => socket.destroy(new Error(`Redis did not answer ${command}`)));
  try {
    socket.write(`${command}\r\n`);
    let answer = "";
    for await (const chunk of socket) {
      answer += String(chunk);
      if (answer.includes("\r\n")) break;
    }
    const [line = ""] = answer.split("\r\n");
    if (!/^[+:]/.test(line)) throw new Error(`Redis answered ${command} with ${line || "nothing"}`);
    return line;
  } finally {
    socket.destroy();
  }
}

export async function untilRedisAnswers(port: number): Promise<void> {
  const until = performance.now() + 30_000;
  for (;;) {
    try {
      await redisCommand(port, "PING");
      return;
    } catch (error) {
      if (performance.now() > until) throw new Error(`Redis on port ${port} is not ready`, { cause: error });
      await delay(10);
    }
  }
}
