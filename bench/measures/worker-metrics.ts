/** What a worker says of itself on /metrics. */
import type { Worker } from "../system/system.ts";

/** The sum over all series of that name with those labels; 0 when there is none. */
export async function readMetric(
  worker: Worker,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<number> {
  const text = await (await fetch(`${worker.url}/metrics`)).text();
  const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  return text
    .split("\n")
    .filter((line) => line.startsWith(`${name}{`) && wanted.every((label) => line.includes(label)))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
}

/** Attempts whose performer runs at this moment, or waits for a place. */
export const performing = (worker: Worker): Promise<number> =>
  readMetric(worker, "baton_stage_depth", { stage: "perform" });
