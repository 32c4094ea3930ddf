/** What was done to the system, when, and how much work each fault may cause to run again. */

export interface Fault {
  /** Since the world began. */
  readonly atMs: number;
  readonly kind: string;
  readonly detail: string;
  /** Executions that this fault may have made to run twice. */
  readonly mayRepeat: number;
}

export interface FaultLog {
  readonly all: readonly Fault[];
  /** `mayRepeat`: for a kill, the slots of the killed process; default 0. */
  record(kind: string, detail: string, mayRepeat?: number): void;
  /** How many, by kind or in all. */
  count(kind?: string): number;
  readonly mayRepeat: number;
  /** One line a fault. */
  text(): string;
}

export function createFaultLog(monotonic: () => number = () => performance.now()): FaultLog {
  const beganAt = monotonic();
  const all: Fault[] = [];
  return {
    all,
    record(kind, detail, mayRepeat = 0) {
      all.push({ atMs: Math.round(monotonic() - beganAt), kind, detail, mayRepeat });
    },
    count: (kind) => (kind === undefined ? all.length : all.filter((fault) => fault.kind === kind).length),
    get mayRepeat() {
      return all.reduce((sum, fault) => sum + fault.mayRepeat, 0);
    },
    text: () => all.map(({ atMs, kind, detail }) => `+${atMs} ms ${kind}: ${detail}`).join("\n"),
  };
}
