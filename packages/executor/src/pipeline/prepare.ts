/**
 * The stage `prepare`: reads the outputs that expressions name, and evaluates the expressions.
 *
 * An output by reference is fetched once, and only when an expression or the performer reads it.
 */
import { resolveValue } from "@baton/core/expressions";
import type { ClaimedStep, EngineStore, StepOutput } from "@baton/core/ports";
import { conditionSources, deadEdges, expressedConfig, readNamedOutputs, scopeOf, sourcesIn } from "./scope.ts";

export interface Prepared {
  readonly config: Readonly<Record<string, unknown>>;
  readOutput(output: StepOutput): Promise<unknown>;
  /** Ids of the outgoing edges' targets whose condition is false, given the step's own output. */
  deadEdges(output: unknown): readonly string[];
}

export async function prepareStep(step: ClaimedStep, store: Pick<EngineStore, "readOutput">): Promise<Prepared> {
  const expressed = expressedConfig(step);
  let read: Map<string, unknown> | undefined;
  const readOutput = async (output: StepOutput): Promise<unknown> => {
    if (output.blobId === undefined) return output.output;
    if (read?.has(output.stepId) === true) return read.get(output.stepId);
    return await store.readOutput(step.ref, output.blobId);
  };
  const steps = await readNamedOutputs(step, [...sourcesIn(expressed), ...conditionSources(step)], async (output) => {
    const value = await readOutput(output);
    if (output.blobId !== undefined) {
      read ??= new Map();
      read.set(output.stepId, value);
    }
    return value;
  });
  return {
    config: { ...step.config, ...(resolveValue(expressed, scopeOf(step, steps)) as Record<string, unknown>) },
    readOutput,
    deadEdges: (output) => deadEdges(step, steps, output),
  };
}
