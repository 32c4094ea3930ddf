/** What a peer needs of the machine: free ports, and a data folder that goes with it. */
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";

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
