/**
 * Who waits until calls under way have settled their budget.
 *
 * Purpose: a settlement in this process lets the next one go on at once. Boundary: what other processes settle is found by
 * looking again; who fits is the store's to say.
 *
 * 1. Few are woken by one settlement, the longest waiting first: thousands would all ask, and all but one in vain.
 */
import { setTimeout as delay } from "node:timers/promises";

const wokenAtOnce = 2;

export class BudgetWaits {
  readonly #waiting = new Map<string, Set<() => void>>();

  /** Resolves when something was settled under the key, after `ms`, or when the signal is aborted. */
  async wait(key: string, ms: number, signal: AbortSignal): Promise<void> {
    const woken = new AbortController();
    const wake = (): void => woken.abort();
    const waiting = this.#waiting.get(key) ?? new Set();
    this.#waiting.set(key, waiting.add(wake));
    await delay(ms, undefined, { signal: AbortSignal.any([signal, woken.signal]) }).catch(() => undefined);
    waiting.delete(wake);
    if (waiting.size === 0 && this.#waiting.get(key) === waiting) this.#waiting.delete(key);
  }

  wake(...keys: readonly string[]): void {
    for (const key of keys) {
      const waiting = this.#waiting.get(key) ?? [];
      let left = wokenAtOnce;
      for (const wake of waiting) {
        if (left === 0) break;
        left -= 1;
        wake();
      }
    }
  }
}
