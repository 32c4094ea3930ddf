/** From a checked URL to a socket at an address that may be dialled, and the errors on the way. */
import type { Socket } from "node:net";
import { BatonError } from "@baton/core";
import { orAborted } from "./abort.ts";
import { addressProblem } from "./address.ts";
import { type AllowList, canonical } from "./allow-list.ts";
import type { Dialer, Resolver } from "./dial.ts";

export interface Exchange {
  readonly url: URL;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  sent: boolean;
}

export interface Reach {
  readonly resolver: Resolver;
  readonly dialer: Dialer;
  readonly allowList: AllowList;
}

const connectTimeoutMs = 10_000;

/** Throws `address-refused`, what prevented the connection, or the signal's reason. */
export async function connectChecked(exchange: Exchange, { resolver, dialer, allowList }: Reach): Promise<Socket> {
  return await dialFirst(exchange, await resolveChecked(exchange, resolver, allowList), dialer);
}

async function resolveChecked(
  { url, signal }: Exchange,
  resolver: Resolver,
  allowList: AllowList,
): Promise<readonly string[]> {
  const host = canonical(url.hostname);
  const isLiteral = addressProblem(host) !== "is not an IP address";
  const addresses = isLiteral ? [host] : await orAborted(resolver(host), signal);
  if (addresses.length === 0) throw new Error(`${host} has no address`);
  if (allowList.allows(host, portOf(url))) return addresses;
  for (const address of addresses) {
    const problem = addressProblem(address);
    if (problem === undefined) continue;
    const where = isLiteral ? address : `${host} (${address})`;
    throw new BatonError(
      "address-refused",
      `${where} ${problem}; an operator can open it by adding "${url.host}" to http.allowHosts.`,
      {
        problems: [{ pointer: "/url", detail: `${where} ${problem}` }],
        details: { sent: false },
      },
    );
  }
  return addresses;
}

/** Every address was checked, so trying the next one after a failed connect opens nothing new. */
async function dialFirst({ url, signal }: Exchange, addresses: readonly string[], dialer: Dialer): Promise<Socket> {
  const failures: unknown[] = [];
  for (const address of addresses) {
    const bound = AbortSignal.any([signal, AbortSignal.timeout(connectTimeoutMs)]);
    const target = {
      address,
      port: portOf(url),
      tls: url.protocol === "https:",
      hostname: canonical(url.hostname),
      signal: bound,
    };
    try {
      return await dialer(target);
    } catch (error) {
      signal.throwIfAborted();
      failures.push(error);
    }
  }
  if (failures.length === 1) throw failures[0];
  throw new AggregateError(failures, `none of ${addresses.length} addresses accepted a connection`);
}

export function flattened(headers: Readonly<Record<string, string | string[] | undefined>>): Record<string, string> {
  const entries = Object.entries(headers).filter(
    (entry): entry is [string, string | string[]] => entry[1] !== undefined,
  );
  return Object.fromEntries(entries.map(([name, value]) => [name, Array.isArray(value) ? value.join(", ") : value]));
}

function portOf(url: URL): number {
  return url.port === "" ? (url.protocol === "https:" ? 443 : 80) : Number(url.port);
}

/** The query may carry secrets, so messages leave it out. */
export function failure(
  { url, method, sent }: Exchange,
  why: string,
  cause: unknown,
  extra: { timedOut?: true } = {},
): BatonError {
  const stage = sent ? "after the request was sent" : "before anything was sent";
  return new BatonError("tool-failed", `${method} ${url.origin}${url.pathname} failed ${stage}: ${why}.`, {
    cause,
    details: { sent, ...extra },
  });
}
