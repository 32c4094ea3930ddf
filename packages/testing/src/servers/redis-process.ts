/** Redis as a process of its own. Nothing is persisted: a restart is a Redis that has lost everything. */
import { spawnSync } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { spawnGuarded } from "@baton/embedded/guard";
import type { Guarded } from "@baton/embedded/guard";
import { redisArguments, redisCommand, untilRedisAnswers } from "./redis.ts";
import type { TestRedis } from "./redis.ts";
import { scratchFolder } from "./scratch.ts";

export function redisServerRuns(): boolean {
  return spawnSync("redis-server", ["--version"]).status === 0;
}

export async function startRedisProcess(port: number): Promise<TestRedis> {
  const folder = await scratchFolder("redis");
  let server: Guarded | undefined;
  const end = async (signal: "SIGTERM" | "SIGKILL") => {
    if (server) process.kill(server.pid, signal);
    await server?.exited;
    server = undefined;
  };
  const start = async () => {
    server ??= await spawnRedis(folder, port);
    await untilRedisAnswers(port);
  };
  await start();
  return {
    url: `redis://127.0.0.1:${port}`,
    stop: () => end("SIGTERM"),
    kill: () => end("SIGKILL"),
    start,
    async restart() {
      await end("SIGTERM");
      await start();
    },
    flushAll: async () => void (await redisCommand(port, "FLUSHALL")),
    async close() {
      await end("SIGKILL");
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function spawnRedis(folder: string, port: number): Promise<Guarded> {
  const log = openSync(join(folder, "redis.log"), "a");
  try {
    return await spawnGuarded({
      command: "redis-server",
      args: ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder, ...redisArguments],
      env: {},
      cwd: folder,
      output: log,
      stopSignal: "TERM",
      graceMs: 3_000,
    });
  } finally {
    closeSync(log);
  }
}
