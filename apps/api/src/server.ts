/**
 * The API on a socket.
 *
 * 1. Closing takes no new request, lets answers finish, and cuts what is still open after `graceMs`:
 *    streams have no end of their own, and their readers resume elsewhere.
 */
import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import type { Api } from "./api.ts";

export interface ApiServer {
  readonly url: string;
  readonly port: number;
  close(graceMs: number): Promise<void>;
}

export async function listen(api: Api, options: { readonly host: string; readonly port: number }): Promise<ApiServer> {
  const server = createAdaptorServer({ fetch: (request) => api.fetch(request) }) as Server;
  server.listen(options.port, options.host);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const host = options.host.includes(":") ? `[${options.host}]` : options.host;
  return {
    url: `http://${host}:${port}`,
    port,
    async close(graceMs) {
      const closed = once(server, "close");
      server.close();
      server.closeIdleConnections();
      const cut = setTimeout(() => server.closeAllConnections(), graceMs);
      await closed;
      clearTimeout(cut);
    },
  };
}
