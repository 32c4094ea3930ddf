/** Servers that a suite may stop and start again: own processes on free ports of the loopback, nothing kept on disk that matters. */
import { spawn, spawnSync } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chownSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

export interface TestServer {
  readonly url: string;
  stop(): Promise<void>;
  start(): Promise<void>;
  /** Connections stay open and nothing is answered. */
  freeze(): Promise<void>;
  thaw(): Promise<void>;
  close(): Promise<void>;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

async function reach(port: number, child: ChildProcess, what: string): Promise<void> {
  const until = Date.now() + 30_000;
  while (!(await accepts(port))) {
    if (child.exitCode !== null) throw new Error(`${what} exited with ${child.exitCode}`);
    if (Date.now() > until) throw new Error(`${what} does not listen on ${port}`);
    await sleep(20);
  }
}

/** Why Redis cannot be tested here, or undefined. */
export function redisMissing(): string | undefined {
  return spawnSync("redis-server", ["--version"]).status === 0 ? undefined : "redis-server is not on PATH";
}

export async function startRedis(extra: readonly string[] = []): Promise<TestServer> {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), "baton-redis-"));
  let child: ChildProcess | undefined;
  const server: TestServer = {
    url: `redis://127.0.0.1:${port}`,
    async start() {
      child = spawn(
        "redis-server",
        ["--port", `${port}`, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", folder, ...extra],
        { stdio: "ignore" },
      );
      await reach(port, child, "redis-server");
    },
    async stop() {
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    },
    async freeze() {
      child?.kill("SIGSTOP");
    },
    async thaw() {
      child?.kill("SIGCONT");
    },
    async close() {
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  await server.start();
  return server;
}

const binaries = "/usr/lib/postgresql/15/bin";

/** Why PostgreSQL cannot be tested here, or undefined. */
export function postgresMissing(): string | undefined {
  return existsSync(join(binaries, "postgres")) ? undefined : `${binaries} does not exist`;
}

export async function startPostgres(): Promise<TestServer> {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), "baton-pg-"));
  const asRoot = process.getuid?.() === 0;
  const id = (flag: string) => Number(spawnSync("id", [flag, "postgres"]).stdout.toString());
  const owner = asRoot ? { uid: id("-u"), gid: id("-g") } : {};
  if (asRoot) chownSync(folder, id("-u"), id("-g"));
  const data = join(folder, "data");
  const made = spawnSync(
    join(binaries, "initdb"),
    ["-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync", "--no-locale"],
    { ...owner, cwd: folder },
  );
  if (made.status !== 0) throw new Error(`initdb: ${made.stderr.toString()}`);
  let child: ChildProcess | undefined;
  const server: TestServer = {
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    async start() {
      const settings = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", "max_connections=200"];
      child = spawn(
        join(binaries, "postgres"),
        ["-D", data, "-p", `${port}`, ...settings.flatMap((setting) => ["-c", setting])],
        { ...owner, cwd: folder, stdio: "ignore" },
      );
      await reach(port, child, "postgres");
      // It listens a moment before it serves.
      while (spawnSync(join(binaries, "pg_isready"), ["-q", "-h", "127.0.0.1", "-p", `${port}`]).status !== 0)
        await sleep(20);
    },
    async stop() {
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, "exit");
      child.kill("SIGQUIT");
      await exited;
    },
    async freeze() {
      child?.kill("SIGSTOP");
    },
    async thaw() {
      child?.kill("SIGCONT");
    },
    async close() {
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  await server.start();
  return server;
}
