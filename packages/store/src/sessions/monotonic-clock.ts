/** Milliseconds that never go back; all threads of a process count from the same moment, unlike `performance.now()`. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint() / 1_000n) / 1_000;
}
