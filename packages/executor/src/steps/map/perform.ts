/**
 * The step type `map`: one step per element of a list, then their outputs in the order of the list.
 *
 * 1. At most 10,000 elements. An empty list completes at once with an empty output.
 * 2. Joining reads one item's output at a time and stops as soon as the sum passes the output limit.
 */
import { BatonError } from "@baton/core";
import { itemStep, layOutItems } from "@baton/core/plan";
import type { EngineStore, NewStep, PerformContext, Performed, Performer } from "@baton/core/ports";
import { maxOutputBytes } from "../../output/encoding.ts";

const maxItems = 10_000;
const defaultConcurrency = 10;

export function createMapPerformer(
  store: Pick<EngineStore, "itemOutputs" | "readOutput">,
  newId: () => string,
): Performer {
  return async (context) => (context.step.joining ? await join(context, store) : expand(context, newId));
}

function expand({ step, config }: PerformContext, newId: () => string): Performed {
  const values = config["over"];
  if (!Array.isArray(values)) {
    const got = values === null || values === undefined ? "nothing" : `a ${typeof values}`;
    throw new BatonError("invalid-expression", `"over" of map "${step.key}" yields ${got}; it must yield a list.`);
  }
  if (values.length > maxItems) {
    throw new BatonError(
      "payload-too-large",
      `"over" of map "${step.key}" has ${values.length} items; the limit is ${maxItems}. Split the list.`,
    );
  }
  if (values.length === 0) return { performed: "output", output: [] };
  const spec = itemStep.parse(config["step"]);
  const items: readonly NewStep[] = layOutItems({ ...step, stepId: step.ref.stepId }, spec, values, newId);
  const asked = config["concurrency"];
  return { performed: "expanded", items, concurrency: typeof asked === "number" ? asked : defaultConcurrency };
}

async function join(
  { step, task, signal }: PerformContext,
  store: Pick<EngineStore, "itemOutputs" | "readOutput">,
): Promise<Performed> {
  const outputs: unknown[] = [];
  let bytes = 0;
  for await (const item of store.itemOutputs(step.ref)) {
    signal.throwIfAborted();
    bytes += item.sizeBytes;
    if (bytes > maxOutputBytes) {
      const message = `The outputs of the items of map "${step.key}" are larger than the limit of ${maxOutputBytes} bytes (32 MB) in all. Let the items save artifacts.`;
      throw new BatonError("payload-too-large", message, { details: { limitBytes: maxOutputBytes } });
    }
    outputs.push((item.blobId === undefined ? item.output : await store.readOutput(task, item.blobId)) ?? null);
  }
  return { performed: "output", output: outputs };
}
