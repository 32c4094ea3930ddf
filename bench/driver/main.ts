/**
 * The driver as a process of its own: it is told over IPC what to run, and answers with what it measured and what
 * processor time that took it.
 */
import { createClient } from "./http.ts";
import type { Client } from "./http.ts";
import { firstStarts, oneByOne, runLoad } from "./load.ts";
import type { Load } from "./load.ts";

export type Order =
  | { readonly order: "load"; readonly load: Load }
  | { readonly order: "one-by-one"; readonly body: unknown; readonly runs: number }
  | { readonly order: "first-starts"; readonly body: unknown; readonly runs: number };

export interface Call {
  readonly no: number;
  readonly url: string;
  readonly key: string;
  readonly order: Order;
  /** What is not over by then is reported as stuck. */
  readonly limitMs: number;
}

export interface Answer {
  readonly no: number;
  readonly result?: unknown;
  readonly error?: string;
  /** Processor seconds of the call. */
  readonly processorSeconds: number;
}

function carryOut(client: Client, order: Order): Promise<unknown> {
  switch (order.order) {
    case "load":
      return runLoad(client, order.load);
    case "one-by-one":
      return oneByOne(client, order.body, order.runs);
    case "first-starts":
      return firstStarts(client, order.body, order.runs);
  }
}

async function perform({ url, key, order, limitMs }: Call): Promise<unknown> {
  const client = createClient(url, key, order.order === "load" ? order.load.connections : 1);
  const { promise: stuck, reject } = Promise.withResolvers<never>();
  const limit = setTimeout(() => reject(new Error(`Not all tasks were over within ${limitMs} ms.`)), limitMs);
  try {
    return await Promise.race([carryOut(client, order), stuck]);
  } finally {
    clearTimeout(limit);
    client.close();
  }
}

process.on("message", (call: Call) => {
  const before = process.cpuUsage();
  const answer = (more: Pick<Answer, "result" | "error">) => {
    const { user, system } = process.cpuUsage(before);
    process.send?.({ no: call.no, processorSeconds: (user + system) / 1e6, ...more } satisfies Answer);
  };
  perform(call).then(
    (result) => answer({ result }),
    (error: unknown) => answer({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  );
});
process.on("disconnect", () => process.exit(0));
