import { setTimeout as delay } from "node:timers/promises";
import { createClient } from "@baton/client";
import { CommandFailure, exits } from "../failure.ts";

const limitMs = 120_000;
const pauseMs = 50;

/** Resolves when the api says that a worker serves it, or that workers are switched off. */
export async function untilReady(apiUrl: string, signal: AbortSignal): Promise<void> {
  const client = createClient({ baseUrl: apiUrl, maxRetries: 0 });
  const until = performance.now() + limitMs;
  let last = "it did not answer";
  while (!signal.aborted) {
    try {
      const { status, checks } = await client.request("ready", { signal });
      if (status === "ready" && (checks.workers === "serving" || checks.workers === "worker-disabled")) return;
      last = `it says ${JSON.stringify({ status, ...checks })}`;
    } catch (error) {
      last = (error as Error).message;
    }
    if (performance.now() > until) {
      throw new CommandFailure(exits.unavailable, `The api at ${apiUrl} was not ready after ${limitMs} ms: ${last}`);
    }
    // Rejects only when the wait is given up, and then the loop ends.
    await delay(pauseMs, undefined, { signal }).catch(() => undefined);
  }
}
