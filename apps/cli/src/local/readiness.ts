import { setTimeout as delay } from "node:timers/promises";
import { createClient } from "@baton/client";
import { CommandFailure, exits } from "../failure.ts";

const limitMs = 120_000;
const pauseMs = 50;

/** Resolves when the api says that a worker serves it, or that workers are switched off. */
export async function untilServed(apiUrl: string, signal: AbortSignal): Promise<void> {
  const client = createClient({ baseUrl: apiUrl, maxRetries: 0 });
  await until(`The api at ${apiUrl}`, signal, async () => {
    const { status, checks } = await client.request("ready", { signal });
    if (status === "ready" && (checks.workers === "serving" || checks.workers === "worker-disabled")) return undefined;
    return `it says ${JSON.stringify({ status, ...checks })}`;
  });
}

/** Resolves when the worker behind that health port claims work. */
export async function untilUp(workerUrl: string, signal: AbortSignal): Promise<void> {
  await until(`The worker at ${workerUrl}`, signal, async () => {
    const answer = await fetch(`${workerUrl}/health/ready`, { signal });
    const text = await answer.text();
    return answer.ok ? undefined : `it says ${text}`;
  });
}

/** Asks until it gets no objection. */
async function until(what: string, signal: AbortSignal, objection: () => Promise<string | undefined>): Promise<void> {
  const giveUpAt = performance.now() + limitMs;
  while (!signal.aborted) {
    const last = await objection().catch((error: unknown) => (error as Error).message);
    if (last === undefined) return;
    if (performance.now() > giveUpAt) {
      throw new CommandFailure(exits.unavailable, `${what} was not ready after ${limitMs} ms: ${last}`);
    }
    // Rejects only when the wait is given up, and then the loop ends.
    await delay(pauseMs, undefined, { signal }).catch(() => undefined);
  }
}
