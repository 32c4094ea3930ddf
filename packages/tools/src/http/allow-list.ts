import { isIPv6 } from "node:net";
import { BatonError } from "@baton/core";

export interface AllowList {
  allows(hostname: string, port: number): boolean;
}

const entryPattern = /^(\[[0-9a-f:.]+\]|[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?)(?::(\d{1,5}))?$/i;

/**
 * The hosts an operator opens, as the URL names them: `host`, `host:port`, `127.0.0.1:8080`, `[::1]:8080`.
 * Without a port, every port. Throws `invalid-configuration` naming the entry.
 */
export function parseAllowList(entries: readonly string[]): AllowList {
  const opened = new Set(entries.map(normalized));
  return {
    allows: (hostname, port) => opened.has(canonical(hostname)) || opened.has(`${canonical(hostname)}:${port}`),
  };
}

/** Lower case, without brackets and without the dot that ends a fully qualified name. */
export function canonical(hostname: string): string {
  const bare = hostname.replace(/^\[|\]$/g, "").toLowerCase();
  return bare.endsWith(".") ? bare.slice(0, -1) : bare;
}

function normalized(entry: string): string {
  const [, host = "", , port] = entryPattern.exec(entry) ?? [];
  const url = host === "" ? undefined : URL.parse(`http://${host}/`);
  const isPort = port === undefined || (Number(port) > 0 && Number(port) < 65_536);
  if (url === null || url === undefined || !isPort || (host.startsWith("[") && !isIPv6(canonical(host)))) {
    throw new BatonError("invalid-configuration", `allowHosts: "${entry}" is not host, host:port or [ipv6]:port.`);
  }
  const name = canonical(url.hostname);
  return port === undefined ? name : `${name}:${Number(port)}`;
}
