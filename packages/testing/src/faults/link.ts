/**
 * One connection through the proxy: two sockets, and what is being done to what travels between them.
 *
 * 1. Bytes keep their order, also when a delay is changed while some are under way.
 * 2. Silent: what arrives is thrown away and neither side hears of the other's end, as when a route is gone for good.
 *    Stalled: what arrives stays in the sockets and travels on after `flow`, as when a route comes back.
 * 3. A reply is held back from its first byte until it is known whether the plan wants it lost.
 */
import { type Socket, connect } from "node:net";
import { createPostgresDialogue, type PostgresDialogue } from "./postgres-dialogue.ts";
import { type RedisTalk, createRedisTalk } from "./redis-talk.ts";

/** What a test may choose a connection by. */
export interface Link {
  /** From 1, in the order of connecting. */
  readonly no: number;
  /**
   * PostgreSQL: the connection's application_name. Redis: "blocking" for one that waits for messages, "subscriber",
   * else "commands". "" while the client has said nothing.
   */
  readonly label: string;
}

export type Select = (link: Link) => boolean;

/** Which statements lose their request or the reply to it; PostgreSQL only. */
export interface Loss {
  readonly statement: RegExp;
  /** Which of the connections; default all. */
  readonly select?: Select;
  /** `request`: the server never hears it. `reply`: it was committed, and the client never hears that. */
  readonly what: "request" | "reply";
  /** `reset` tells both sides that the connection is gone, `silence` neither. */
  readonly by: "reset" | "silence";
  /** How many are lost; then the plan is over. */
  readonly times: number;
  /** Every n-th that matches, from the n-th on; default 1. */
  readonly every?: number;
  readonly onLost?: () => void;
}

/** The proxy's side of a link. */
export interface LinkHost {
  /** True when the plan in force takes this request or this reply. */
  loses(link: Link, what: Loss["what"], statements: readonly string[]): Loss["by"] | undefined;
  /** True when a reply to one of the statements may be lost: it is held back. */
  mayLose(link: Link, statements: readonly string[]): boolean;
  carried(bytes: number): void;
  dropped(bytes: number): void;
  ended(link: ProxyLink): void;
}

export interface LinkOptions {
  readonly no: number;
  readonly near: Socket;
  readonly target: { readonly host: string; readonly port: number };
  readonly protocol: "postgres" | "redis" | "other";
  readonly host: LinkHost;
}

type State = "flowing" | "stalled" | "silent" | "ended";

export class ProxyLink implements Link {
  readonly no: number;
  readonly #near: Socket;
  readonly #far: Socket;
  readonly #host: LinkHost;
  readonly #postgres: PostgresDialogue | undefined;
  readonly #redis: RedisTalk | undefined;
  readonly #requests: Course;
  readonly #replies: Course;
  #state: State = "flowing";
  #held: Buffer[] = [];
  /** Bytes of replies that still pass before the connection is cut. */
  #passing: number | undefined;

  constructor({ no, near, target, protocol, host }: LinkOptions) {
    this.no = no;
    this.#near = near;
    this.#host = host;
    this.#postgres = protocol === "postgres" ? createPostgresDialogue() : undefined;
    this.#redis = protocol === "redis" ? createRedisTalk() : undefined;
    this.#far = connect({ ...target, allowHalfOpen: true });
    this.#requests = new Course(near, this.#far, (chunk) => this.#request(chunk));
    this.#replies = new Course(this.#far, near, (chunk) => this.#reply(chunk));
    for (const [socket, other] of [
      [near, this.#far],
      [this.#far, near],
    ] as const) {
      socket.setNoDelay(true);
      socket.on("error", () => undefined);
      socket.on("end", () => {
        if (this.#state !== "silent") other.end();
        else if (socket === near) host.ended(this);
      });
      socket.on("close", () => this.#closed(socket, other));
    }
  }

  get label(): string {
    return this.#postgres?.applicationName ?? this.#redis?.label ?? "";
  }

  get isOpen(): boolean {
    return this.#state !== "ended";
  }

  silence(): void {
    if (!this.isOpen) return;
    this.#state = "silent";
    this.#held = [];
    for (const course of [this.#requests, this.#replies]) course.empty((bytes) => this.#host.dropped(bytes));
  }

  stall(): void {
    if (this.#state !== "flowing") return;
    this.#state = "stalled";
    for (const course of [this.#requests, this.#replies]) course.hold();
  }

  flow(): void {
    if (this.#state !== "stalled") return;
    this.#state = "flowing";
    for (const course of [this.#requests, this.#replies]) course.release();
  }

  delay(ms: number): void {
    for (const course of [this.#requests, this.#replies]) course.delayMs = ms;
  }

  /** Both sides see the connection end: in order (FIN), or not (RST). */
  end(how: "close" | "reset"): void {
    if (!this.isOpen) return;
    this.#state = "ended";
    for (const socket of [this.#near, this.#far]) {
      if (how === "reset" && !socket.destroyed) socket.resetAndDestroy();
      else socket.destroy();
    }
  }

  /** Resets the connection once so many more bytes of replies have passed. */
  cutReplyAfter(bytes: number): void {
    this.#passing = bytes;
  }

  #closed(socket: Socket, other: Socket): void {
    if (socket === this.#near) this.#host.ended(this);
    // The server is not told: its side stays until it gives up by itself, or the proxy ends.
    if (!this.isOpen || (this.#state === "silent" && socket === this.#near)) return;
    this.#state = "ended";
    if (other.writableLength > 0) other.end();
    else other.destroy();
  }

  /** Ends what a silence left behind on the server's side. */
  destroy(): void {
    this.#state = "ended";
    this.#near.destroy();
    this.#far.destroy();
  }

  #lose(by: Loss["by"]): void {
    if (by === "reset") this.end("reset");
    else this.silence();
  }

  /** What of the chunk travels on. */
  #request(chunk: Buffer): Buffer | undefined {
    if (this.#state === "silent") {
      this.#host.dropped(chunk.length);
      return undefined;
    }
    this.#redis?.asked(chunk);
    const statements = this.#postgres?.asked(chunk) ?? [];
    const by = statements.length > 0 ? this.#host.loses(this, "request", statements) : undefined;
    if (by !== undefined) {
      this.#lose(by);
      return undefined;
    }
    this.#host.carried(chunk.length);
    return chunk;
  }

  #reply(chunk: Buffer): Buffer | undefined {
    if (this.#state === "silent") {
      this.#host.dropped(chunk.length);
      return undefined;
    }
    const whole = this.#postgres === undefined ? chunk : this.#dialogue(this.#postgres, chunk);
    if (whole === undefined) return undefined;
    this.#host.carried(whole.length);
    if (this.#passing === undefined) return whole;
    this.#passing -= whole.length;
    if (this.#passing > 0) return whole;
    const rest = whole.subarray(0, whole.length + this.#passing);
    this.#near.write(rest, () => this.end("reset"));
    return undefined;
  }

  #dialogue(talk: PostgresDialogue, chunk: Buffer): Buffer | undefined {
    let isHolding = this.#host.mayLose(this, talk.awaited());
    const free: Buffer[] = [];
    let from = 0;
    const settle = (until: number): void => {
      const part = chunk.subarray(from, until);
      from = until;
      if (isHolding) this.#held.push(part);
      else free.push(part);
    };
    for (const round of talk.answered(chunk)) {
      settle(round.end);
      const by = this.#host.loses(this, "reply", round.committed);
      if (by !== undefined) {
        this.#lose(by);
        return undefined;
      }
      free.push(...this.#held);
      this.#held = [];
      isHolding = this.#host.mayLose(this, talk.awaited());
    }
    settle(chunk.length);
    return free.length === 0 ? undefined : Buffer.concat(free);
  }
}

/** One direction: from socket to socket, by way of an inspection that may keep or shorten what passes. */
class Course {
  delayMs = 0;
  readonly #from: Socket;
  readonly #to: Socket;
  #waiting: { readonly chunk: Buffer; readonly dueAt: number }[] = [];
  #timer: NodeJS.Timeout | undefined;
  #isHeld = false;

  constructor(from: Socket, to: Socket, inspect: (chunk: Buffer) => Buffer | undefined) {
    this.#from = from;
    this.#to = to;
    from.on("data", (chunk: Buffer) => {
      const passed = inspect(chunk);
      if (passed !== undefined) this.#send(passed);
    });
    to.on("drain", () => {
      if (!this.#isHeld) from.resume();
    });
  }

  hold(): void {
    this.#isHeld = true;
    this.#from.pause();
  }

  release(): void {
    this.#isHeld = false;
    this.#from.resume();
    this.#travel();
  }

  empty(onDropped: (bytes: number) => void): void {
    this.release();
    clearTimeout(this.#timer);
    for (const { chunk } of this.#waiting.splice(0)) onDropped(chunk.length);
  }

  #send(chunk: Buffer): void {
    this.#waiting.push({ chunk, dueAt: performance.now() + this.delayMs });
    this.#travel();
  }

  #travel(): void {
    clearTimeout(this.#timer);
    for (;;) {
      const next = this.#waiting[0];
      if (next === undefined || this.#isHeld || this.#to.destroyed) return;
      const restMs = next.dueAt - performance.now();
      if (restMs > 0) {
        this.#timer = setTimeout(() => this.#travel(), Math.ceil(restMs));
        return;
      }
      this.#waiting.shift();
      if (!this.#to.write(next.chunk)) this.#from.pause();
    }
  }
}
