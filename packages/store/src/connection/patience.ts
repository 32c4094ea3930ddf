import { classifyDatabaseError } from "./database-error.ts";

/** For what a process asks when it starts: a database that is down is told soon, one that stalls is asked again. */
export const openingPatienceMs = 5_000;

/** Repeats what may be repeated while the database is away, for `forMs` after the first failure; rejects with the last. */
export async function patiently<Result>(run: () => Promise<Result>, forMs: number): Promise<Result> {
  let until = Number.POSITIVE_INFINITY;
  for (let pause = 5; ; pause = Math.min(pause * 2, 1_000)) {
    try {
      return await run();
    } catch (error) {
      const now = performance.now();
      until = Math.min(until, now + forMs);
      if (classifyDatabaseError(error) !== "transient" || now >= until) throw error;
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
}
