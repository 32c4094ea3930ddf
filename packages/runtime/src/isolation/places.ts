/** A bounded number of places; who waits for one is served in order, and leaves when told to. */
export interface Places {
  /** Resolves to what gives the place back, or to nothing when the signal aborted first. */
  take(signal: AbortSignal): Promise<(() => void) | undefined>;
}

export function createPlaces(count: number): Places {
  let free = count;
  const waiting = new Set<() => void>();
  const give = (): void => {
    const [next] = waiting;
    if (next === undefined) free += 1;
    else {
      waiting.delete(next);
      next();
    }
  };
  return {
    async take(signal) {
      if (signal.aborted) return undefined;
      if (free > 0) {
        free -= 1;
        return give;
      }
      const { promise, resolve } = Promise.withResolvers<(() => void) | undefined>();
      const enter = (): void => resolve(give);
      const leave = (): void => {
        waiting.delete(enter);
        resolve(undefined);
      };
      waiting.add(enter);
      signal.addEventListener("abort", leave, { once: true });
      try {
        return await promise;
      } finally {
        signal.removeEventListener("abort", leave);
      }
    },
  };
}
