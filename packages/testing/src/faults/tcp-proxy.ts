/**
 * A TCP proxy before a server of a test's own: what a network does to connections, done on purpose.
 *
 * 1. What is open and what comes are told apart: `cut`, `silence`, `stall` and `delay` concern open connections,
 *    `refuse`, `swallow` and `admit` also those that come.
 * 2. Every count is of what happened: a fault that met no connection counts nothing.
 */
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { type Link, type LinkHost, type Loss, ProxyLink, type Select } from "./link.ts";

/** All since the proxy began. */
export interface ProxyCounts {
  readonly accepted: number;
  readonly refused: number;
  readonly swallowed: number;
  readonly cut: number;
  readonly silenced: number;
  readonly stalled: number;
  readonly requestsLost: number;
  readonly repliesLost: number;
  readonly bytesCarried: number;
  readonly bytesDropped: number;
}

export interface TcpProxy {
  /** The same server through the proxy. */
  readonly url: string;
  readonly links: readonly Link[];
  readonly openCount: number;
  readonly counts: ProxyCounts;
  /** From now on nothing travels over the open connections, and neither side is told. Gives how many. */
  silence(select?: Select): number;
  /** What travels waits until `flow`. Gives how many connections. */
  stall(select?: Select): number;
  flow(): void;
  /** Closes what is open; by default as a server that ends does. Gives how many. */
  cut(select?: Select, how?: "close" | "reset"): number;
  /** Adds to the way of every byte in each direction, for open connections and those that come. */
  delay(ms: number): void;
  /** Resets each of the open connections after so many more bytes of replies. */
  cutRepliesAfter(bytes: number, select?: Select): number;
  /** A server that is gone: closes what is open and turns away what comes. */
  refuse(): void;
  /** A partition: what is open stalls, what comes is accepted by nobody; `admit` ends it. */
  partition(): void;
  /** New connections get through, and what was stalled goes on. */
  admit(): void;
  /** Puts a plan of lost requests or replies in force, instead of the one before; undefined ends it. */
  lose(loss: Loss | undefined): void;
  close(): Promise<void>;
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

export async function startTcpProxy(serverUrl: string): Promise<TcpProxy> {
  const address = new URL(serverUrl);
  const protocol = address.protocol.startsWith("postgres")
    ? "postgres"
    : address.protocol.startsWith("redis")
      ? "redis"
      : "other";
  const target = { host: address.hostname, port: Number(address.port) };
  const open = new Set<ProxyLink>();
  /** With their server side still there after a silence. */
  const left = new Set<ProxyLink>();
  const counts: Mutable<ProxyCounts> = {
    accepted: 0,
    refused: 0,
    swallowed: 0,
    cut: 0,
    silenced: 0,
    stalled: 0,
    requestsLost: 0,
    repliesLost: 0,
    bytesCarried: 0,
    bytesDropped: 0,
  };
  let coming: "admit" | "refuse" | "stall" = "admit";
  let delayMs = 0;
  let loss: Loss | undefined;
  let matchCount = 0;
  let lostCount = 0;

  /** The plan in force when it wants one of the statements. */
  const planFor = (link: Link, what: Loss["what"], statements: readonly string[]): Loss | undefined => {
    if (loss === undefined || loss.what !== what || lostCount >= loss.times) return undefined;
    if (loss.select !== undefined && !loss.select(link)) return undefined;
    const { statement: pattern } = loss;
    return statements.some((statement) => pattern.test(statement)) ? loss : undefined;
  };

  const host: LinkHost = {
    mayLose: (link, statements) => planFor(link, "reply", statements) !== undefined,
    loses: (link, what, statements) => {
      const plan = planFor(link, what, statements);
      if (plan === undefined) return undefined;
      matchCount += 1;
      if (matchCount % (plan.every ?? 1) !== 0) return undefined;
      lostCount += 1;
      counts[what === "request" ? "requestsLost" : "repliesLost"] += 1;
      plan.onLost?.();
      return plan.by;
    },
    carried: (bytes) => {
      counts.bytesCarried += bytes;
    },
    dropped: (bytes) => {
      counts.bytesDropped += bytes;
    },
    ended: (link) => open.delete(link),
  };

  const server = createServer({ allowHalfOpen: true, pauseOnConnect: false }, (near) => {
    if (coming === "refuse") {
      counts.refused += 1;
      near.on("error", () => undefined);
      near.destroy();
      return;
    }
    counts.accepted += 1;
    const link = new ProxyLink({ no: counts.accepted, near, target, protocol, host });
    open.add(link);
    left.add(link);
    if (delayMs > 0) link.delay(delayMs);
    if (coming === "stall") {
      counts.swallowed += 1;
      link.stall();
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = new URL(serverUrl);
  url.hostname = "127.0.0.1";
  url.port = String((server.address() as AddressInfo).port);

  const chosen = (select: Select = () => true): readonly ProxyLink[] =>
    [...open].filter((link) => link.isOpen && select(link));
  const count = (name: "cut" | "silenced" | "stalled", links: readonly ProxyLink[]): number => {
    counts[name] += links.length;
    return links.length;
  };
  const cut = (select?: Select, how: "close" | "reset" = "close"): number => {
    const links = chosen(select);
    for (const link of links) link.end(how);
    return count("cut", links);
  };
  const stall = (select?: Select): number => {
    const links = chosen(select);
    for (const link of links) link.stall();
    return count("stalled", links);
  };

  return {
    url: url.href,
    get links() {
      return [...open];
    },
    get openCount() {
      return open.size;
    },
    counts,
    silence: (select) => {
      const links = chosen(select);
      for (const link of links) link.silence();
      return count("silenced", links);
    },
    stall,
    flow: () => {
      for (const link of open) link.flow();
    },
    cut,
    delay: (ms) => {
      delayMs = ms;
      for (const link of open) link.delay(ms);
    },
    cutRepliesAfter: (bytes, select) => {
      const links = chosen(select);
      for (const link of links) link.cutReplyAfter(bytes);
      return count("cut", links);
    },
    refuse: () => {
      coming = "refuse";
      cut();
    },
    partition: () => {
      coming = "stall";
      stall();
    },
    admit: () => {
      coming = "admit";
      for (const link of open) link.flow();
    },
    lose: (plan) => {
      loss = plan;
      matchCount = 0;
      lostCount = 0;
    },
    close: async () => {
      coming = "refuse";
      for (const link of left) link.destroy();
      open.clear();
      server.close();
      await once(server, "close");
    },
  };
}
