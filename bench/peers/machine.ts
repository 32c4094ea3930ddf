/** What a peer needs of the machine: free ports, and a data folder that goes with it. */
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { startPostgres } from "@baton/embedded";

/** Different ports of 127.0.0.1 that nobody listens on. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return ports;
}

export interface DataFolder {
  readonly path: string;
  remove(): Promise<void>;
}

export async function dataFolder(peer: string): Promise<DataFolder> {
  const folder = await mkdtemp(path.join(tmpdir(), `baton-bench-${peer}-`));
  return { path: folder, remove: () => rm(folder, { recursive: true, force: true }) };
}

export interface DurablePostgres {
  readonly url: string;
  readonly pid: number;
  /** Stops the server and removes its data. */
  stop(): Promise<void>;
}

/** An empty private PostgreSQL 18 with the settings that Baton's own bench runs on: fsync and synchronous_commit on. */
export async function startDurablePostgres(peer: string): Promise<DurablePostgres> {
  const folder = await dataFolder(peer);
  const server = await startPostgres({ dataDir: folder.path, durable: true });
  const postmaster = await readFile(path.join(folder.path, "postgres", "postmaster.pid"), "utf8");
  return {
    url: server.url,
    pid: Number.parseInt(postmaster, 10),
    async stop() {
      await server.stop();
      await folder.remove();
    },
  };
}
