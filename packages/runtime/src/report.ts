/**
 * The report of a session: which steps this process performs; what the store believes beyond that is given back.
 *
 * 1. A report never overlaps the next, and one that fails is only late: the rows still say what it would.
 * 2. An attempt younger than the age may be on its way here and is left alone.
 */
import type { StepRef } from "@baton/core";
import type { LogPort, MeterPort } from "@baton/core/ports";
import type { Store } from "@baton/store";

export interface ReportOptions {
  readonly store: Pick<Store, "releaseOrphans">;
  /** The session now, and what it performs; undefined between two sessions. */
  readonly current: () => { readonly sessionId: string; readonly performing: readonly StepRef[] } | undefined;
  readonly everyMs: number;
  /** Steps that run for longer than this and are not performed are orphans. */
  readonly ageMs: number;
  readonly log: LogPort;
  readonly meter: MeterPort;
}

export interface Reports {
  /** Out of turn: a connection came back, so an answer may have been lost. */
  now(): void;
  stop(): Promise<void>;
}

export function startReports({ store, current, everyMs, ageMs, log, meter }: ReportOptions): Reports {
  let underWay: Promise<void> | undefined;
  const report = async (): Promise<void> => {
    const session = current();
    if (session === undefined) return;
    try {
      const count = await store.releaseOrphans(session.sessionId, session.performing, ageMs);
      if (count === 0) return;
      log.warn("orphans-released", { sessionId: session.sessionId, count });
      meter.count("baton_orphans_released_total", {}, count);
    } catch (error) {
      log.warn("report-failed", { sessionId: session.sessionId, retryInMs: everyMs, error });
    }
  };
  const now = () => {
    underWay ??= report().finally(() => (underWay = undefined));
  };
  const timer = setInterval(now, everyMs);
  timer.unref();
  return {
    now,
    async stop() {
      clearInterval(timer);
      await underWay;
    },
  };
}
