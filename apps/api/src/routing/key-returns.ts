/**
 * Keys of requests that failed, on their way back.
 *
 * Purpose: who repeats a request after an outage is not told for a minute that the first one still runs. Boundary: which
 * key may be given back is the store's to say: one under which something was created, or that another request has taken,
 * stays as it is.
 *
 * 1. A key that cannot be given back at once is given back when the store answers again; after a minute it is free in
 *    any case, and forgotten here.
 */
import type { LogPort } from "@baton/core/ports";
import type { ClientStore, IdempotencyRef } from "@baton/store";

/** As long as the store keeps a key for a request of a live process. */
const keptMs = 60_000;
const lookEveryMs = 500;
/** Of requests that failed within a minute; what is beyond frees itself. */
const most = 10_000;

interface Waiting {
  readonly ref: IdempotencyRef;
  readonly until: number;
}

export class KeyReturns {
  readonly #store: Pick<ClientStore, "dropIdempotent">;
  readonly #log: LogPort;
  #waiting: Waiting[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(store: Pick<ClientStore, "dropIdempotent">, log: LogPort) {
    this.#store = store;
    this.#log = log;
  }

  /** Resolves after the first try; never rejects: the request's own error is the one to tell. */
  async giveBack(ref: IdempotencyRef): Promise<void> {
    try {
      await this.#store.dropIdempotent(ref);
    } catch (error) {
      this.#log.warn("idempotency-key-kept", { route: ref.route, error });
      if (this.#waiting.length < most) this.#waiting.push({ ref, until: performance.now() + keptMs });
      this.#lookLater();
    }
  }

  #lookLater(): void {
    if (this.#timer !== undefined || this.#waiting.length === 0) return;
    this.#timer = setTimeout(() => void this.#look(), lookEveryMs).unref();
  }

  async #look(): Promise<void> {
    const waiting = this.#waiting.filter(({ until }) => performance.now() < until);
    this.#waiting = [];
    const left: Waiting[] = [];
    for (const [at, each] of waiting.entries()) {
      try {
        await this.#store.dropIdempotent(each.ref);
      } catch {
        // Away still: the others would wait as long for the same answer.
        left.push(...waiting.slice(at));
        break;
      }
    }
    this.#waiting = [...left, ...this.#waiting];
    this.#timer = undefined;
    this.#lookLater();
  }
}
