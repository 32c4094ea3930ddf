/** The plans that the measures POST. */

interface Step {
  readonly id: string;
  readonly type: "tool";
  readonly tool: string;
  readonly arguments: Readonly<Record<string, unknown>>;
  readonly depends_on?: readonly string[];
}

const step = (id: string, no: number, waitMs: number | undefined): Step =>
  waitMs === undefined
    ? { id, type: "tool", tool: "bench.pass", arguments: { no } }
    : { id, type: "tool", tool: "bench.wait", arguments: { ms: waitMs } };

/** One step after the other. */
export function chainBody(steps: number, waitMs?: number): unknown {
  return {
    plan: {
      steps: Array.from({ length: steps }, (_, no) => ({
        ...step(`s${no}`, no, waitMs),
        ...(no > 0 && { depends_on: [`s${no - 1}`] }),
      })),
    },
  };
}

const parallel = (steps: number, waitMs?: number): Step[] =>
  Array.from({ length: steps }, (_, no) => step(`s${no}`, no, waitMs));

/** Parallel steps without anything that joins them. */
export const wideBody = (steps: number, waitMs?: number): unknown => ({ plan: { steps: parallel(steps, waitMs) } });

/** Parallel steps, and one that waits for all of them. */
export function fanOutBody(steps: number): unknown {
  const spread = parallel(steps);
  return {
    plan: { steps: [...spread, { ...step("join", steps, undefined), depends_on: spread.map(({ id }) => id) }] },
  };
}

/** Parallel steps that end when a file appears. */
export const gateBody = (steps: number, path: string): unknown => ({
  plan: {
    steps: Array.from({ length: steps }, (_, no) => ({
      id: `s${no}`,
      type: "tool",
      tool: "bench.gate",
      arguments: { path },
    })),
  },
});
