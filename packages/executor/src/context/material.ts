/**
 * The outputs of earlier steps as material for a model.
 *
 * 1. The output of a summary made for the step stands in for all the rest.
 * 2. A list is one piece of material per element, so that it can be divided between them.
 * 3. What is larger than 2 MB stands as its beginning and says where the rest is kept.
 */
import type { Material, PerformContext, StepOutput } from "@baton/core/ports";
import { readable } from "./text.ts";

const previewFromBytes = 2 * 1024 * 1024;
const previewChars = 20_000;

export function summaryKey(key: string): string {
  return `${key}/summary`;
}

export function hasSummary({ step }: PerformContext): boolean {
  return step.inputs.some(({ key, state }) => key === summaryKey(step.key) && state === "completed");
}

export async function gatherMaterial(context: PerformContext): Promise<readonly Material[]> {
  const { step } = context;
  if (hasSummary(context)) {
    const [summary] = step.inputs.filter(({ key }) => key === summaryKey(step.key));
    return summary === undefined ? [] : [{ name: "summary", text: readable(await context.readOutput(summary)) }];
  }
  return [...itemMaterial(context), ...(await materialOf(step.inputs, context))];
}

/** The element a map's item works on. */
export function itemMaterial({ step }: PerformContext): readonly Material[] {
  return step.item === undefined ? [] : [{ name: "item", text: readable(step.item.value) }];
}

export async function materialOf(
  outputs: readonly StepOutput[],
  context: PerformContext,
): Promise<readonly Material[]> {
  const material: Material[] = [];
  for (const output of outputs) {
    if (output.state !== "completed") continue;
    const value = await context.readOutput(output);
    if (!Array.isArray(value)) material.push(pieceOf(output.key, value, output.sizeBytes));
    else
      material.push(
        ...value.map((element, index) => pieceOf(`${output.key}[${index}]`, element, output.sizeBytes / value.length)),
      );
  }
  return material.filter(({ text }) => text !== "");
}

function pieceOf(name: string, value: unknown, sizeBytes: number): Material {
  const text = readable(value);
  if (sizeBytes <= previewFromBytes) return { name, text };
  return {
    name,
    text: `${text.slice(0, previewChars).toWellFormed()}\n(the beginning of ${text.length} characters; the whole output is kept in the store)`,
  };
}
