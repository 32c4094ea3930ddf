/** A TCP proxy before a test's PostgreSQL: what a network does to a connection, done on purpose. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface TcpProxy {
  /** The same database through the proxy. */
  readonly url: string;
  /** From now on nothing travels over the connections that are open; neither side is told. */
  silence(): void;
  /** Closes what is open; `refuse` also turns away what comes. */
  cut(refuse?: boolean): void;
  /** Lets new connections through again. */
  admit(): void;
  readonly openCount: number;
  readonly refusedCount: number;
  close(): Promise<void>;
}

export async function startTcpProxy(databaseUrl: string): Promise<TcpProxy> {
  const target = new URL(databaseUrl);
  const sockets = new Set<Socket>();
  let isRefusing = false;
  let refusedCount = 0;
  const server = createServer((near) => {
    if (isRefusing) {
      refusedCount += 1;
      near.destroy();
      return;
    }
    const far = connect(Number(target.port), target.hostname);
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => {
        sockets.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = new URL(databaseUrl);
  url.port = String((server.address() as AddressInfo).port);
  const cut = (refuse = false): void => {
    isRefusing = refuse;
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: url.href,
    silence: () => {
      for (const socket of sockets) {
        socket.unpipe();
        socket.resume();
      }
    },
    cut,
    admit: () => {
      isRefusing = false;
    },
    get openCount() {
      return sockets.size / 2;
    },
    get refusedCount() {
      return refusedCount;
    },
    close: async () => {
      cut(true);
      server.close();
      await once(server, "close");
    },
  };
}
