/** On what, and with which settings, the figures were made. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg, totalmem } from "node:os";
import { createTestDatabase } from "@baton/testing/databases";
import type { BenchArguments } from "../arguments.ts";
import { peerVersions } from "../peers/index.ts";
import { redisSettings } from "../system/servers.ts";
import type { Servers } from "../system/servers.ts";

export interface Environment {
  readonly fsync: string;
  readonly synchronous_commit: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly settings: {
    /** What the launcher sets beside PostgreSQL's own defaults. */
    readonly postgres: Readonly<Record<string, string>>;
    readonly redis: readonly string[];
    readonly baton: string;
  };
  readonly cpu: string;
  readonly memory: string;
  /** Of one minute, before the first measure: what else the machine was doing. */
  readonly load: number;
  readonly date: string;
}

export async function describeEnvironment(servers: Servers, { peers }: BenchArguments): Promise<Environment> {
  const database = await createTestDatabase(servers.postgres.url);
  const rows = await database.read<{ name: string; setting: string }>(
    `select name, current_setting(name) as setting from pg_settings
     where source = 'command line' or name in ('fsync', 'synchronous_commit', 'server_version')`,
  );
  await database.drop();
  const {
    fsync = "",
    synchronous_commit = "",
    server_version = "",
    ...rest
  } = Object.fromEntries(rows.map(({ name, setting }) => [name, setting]));
  const { port: _port, ...postgres } = rest;
  const [processor] = cpus();
  const redis = servers.startRedis === undefined ? {} : { redis: versionOf("redis-server", /v=(\S+)/) };
  return {
    fsync,
    synchronous_commit,
    versions: {
      // First: one of their packages has the name of our server.
      ...(peers ? peerVersions() : {}),
      baton: versionOf("git", /(\w+)/, ["-C", import.meta.dirname, "rev-parse", "--short", "HEAD"]),
      node: process.versions.node,
      postgres: server_version,
      ...redis,
      bullmq: bullmqVersion(),
    },
    settings: { postgres, redis: redisSettings, baton: "as shipped, but for what README.md names per measure" },
    cpu: `${availableParallelism()} × ${processor?.model.trim()}`,
    memory: `${Math.round(totalmem() / 2 ** 30)} GB`,
    load: loadavg()[0] ?? Number.NaN,
    date: new Date().toISOString(),
  };
}

function versionOf(command: string, pattern: RegExp, args: readonly string[] = ["--version"]): string {
  try {
    return (
      pattern.exec(execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }))?.[1] ??
      "unknown"
    );
  } catch {
    return "unknown";
  }
}

function bullmqVersion(): string {
  const manifest = new URL("../../packages/queue/package.json", import.meta.url);
  const { dependencies } = JSON.parse(readFileSync(manifest, "utf8")) as { dependencies: Record<string, string> };
  return dependencies["bullmq"] ?? "unknown";
}
