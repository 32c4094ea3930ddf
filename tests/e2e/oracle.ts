/** What must be true of every task after a run, read from the rows and the traces alone. */
import type { TaskRef } from "@baton/core";
import { compareWithRows, reduce } from "@baton/core/events";
import type { Store } from "@baton/store";
import { expect } from "vitest";

/** `reduce(traces)` equals the rows; traces are numbered 1..N; no step completed twice. */
export async function expectRowsToEqualTraces(store: Store, ref: TaskRef): Promise<void> {
  const task = await store.getTask(ref);
  if (task === undefined) throw new Error(`No task ${ref.taskId}.`);
  const traces = await store.listTaskTraces(ref, { limit: 1_000_000 });
  expect(traces.map((trace) => trace.no)).toEqual(traces.map((_, index) => index + 1));
  const completions = traces.filter((trace) => trace.type === "step-completed").map((trace) => trace.stepId);
  expect(new Set(completions).size).toBe(completions.length);
  const steps = await store.listTaskSteps(ref, { limit: 1_000_000 });
  expect(compareWithRows(reduce(traces), { task, steps })).toEqual([]);
}
