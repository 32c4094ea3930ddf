import { lookup } from "node:dns/promises";
import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";

/** All addresses of a name, in the order they should be tried. */
export type Resolver = (hostname: string) => Promise<readonly string[]>;

export interface DialTarget {
  /** A literal that was checked; never a name, so nothing resolves it again. */
  readonly address: string;
  readonly port: number;
  readonly tls: boolean;
  /** What the certificate must be for. */
  readonly hostname: string;
  readonly signal: AbortSignal;
}

/** A connected socket; with `tls`, after the handshake and the certificate check. */
export type Dialer = (target: DialTarget) => Promise<Socket>;

export const systemResolver: Resolver = async (hostname) => {
  const found = await lookup(hostname, { all: true, order: "verbatim" });
  return found.map(({ address }) => address);
};

export const systemDialer: Dialer = ({ address, port, tls, hostname, signal }) => {
  signal.throwIfAborted();
  const servername = isIP(hostname) === 0 ? hostname : undefined;
  const socket = tls
    ? connectTls({ host: address, port, ALPNProtocols: ["http/1.1"], ...(servername !== undefined && { servername }) })
    : connectTcp({ host: address, port });
  const connected = Promise.withResolvers<Socket>();
  const onAbort = () => connected.reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  socket.once(tls ? "secureConnect" : "connect", () => connected.resolve(socket));
  // Stays on: an error before the HTTP client takes the socket over must not be uncaught.
  socket.on("error", connected.reject);
  return connected.promise
    .catch((error: unknown) => {
      socket.destroy();
      throw error;
    })
    .finally(() => signal.removeEventListener("abort", onAbort));
};
