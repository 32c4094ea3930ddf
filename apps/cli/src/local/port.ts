import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { CommandFailure, exits } from "../failure.ts";

/** The port named, or `preferred` when it is free, or any free one; on loopback. */
export async function choosePort(named: number | undefined, preferred: number): Promise<number> {
  if (named !== undefined && named !== 0) {
    if (await tryPort(named)) return named;
    throw new CommandFailure(
      exits.unavailable,
      `Port ${named} on 127.0.0.1 is taken. Take another one with --port, or 0 for a free one.`,
    );
  }
  const found = (named === undefined ? await tryPort(preferred) : undefined) ?? (await tryPort(0));
  if (found === undefined) throw new CommandFailure(exits.unavailable, "No port on 127.0.0.1 is free.");
  return found;
}

/** That many different ones, free a moment ago. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports: number[] = [];
  for (const server of servers) {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    ports.push((server.address() as AddressInfo).port);
  }
  for (const server of servers) {
    server.close();
    await once(server, "close");
  }
  return ports;
}

/** The port that was bound and given back; undefined when it is taken. */
async function tryPort(port: number): Promise<number | undefined> {
  const server = createServer();
  try {
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
    const { port: bound } = server.address() as AddressInfo;
    server.close();
    await once(server, "close");
    return bound;
  } catch {
    return undefined;
  }
}
