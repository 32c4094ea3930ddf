/** What a peer needs of the machine: free ports, and a data folder that goes with it. */
import { once } from "node:events";
import { rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { startServers } from "../system/servers.ts";

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
  const keep = onExit(() => rmSync(folder, { recursive: true, force: true }));
  return {
    path: folder,
    async remove() {
      keep();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** An empty private PostgreSQL 18, set up as the one of Baton's own bench. */
export async function startPostgres(): Promise<{ url: string; pid: number; stop(): Promise<void> }> {
  const servers = await startServers();
  const keep = onExit(() => servers.remove());
  return {
    ...servers.postgres,
    async stop() {
      keep();
      await servers.stop();
    },
  };
}

/** A process that is told to leave takes its programs along, but not their data. */
function onExit(remove: () => void): () => void {
  process.once("exit", remove);
  return () => process.off("exit", remove);
}
