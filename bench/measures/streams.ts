/** `in-flight-2000`: model streams that one worker holds open at the same time, from a scripted server in a process of its own. */
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { runBodies } from "./chain.ts";
import { keyOf, onEachBackend, whileSampling, withSystem } from "./measure.ts";
import type { Bench } from "./measure.ts";
import { performing } from "./worker-metrics.ts";
import type { Worker } from "../system/system.ts";

interface Size {
  readonly tasks: number;
  readonly width: number;
  readonly chunks: number;
  readonly chunkDelayMs: number;
}

/** A stream of 40 s: long enough for the last one to open before the first one ends. */
const full: Size = { tasks: 20, width: 100, chunks: 40, chunkDelayMs: 1_000 };
const tiny: Size = { tasks: 2, width: 5, chunks: 4, chunkDelayMs: 200 };

const modelServer = fileURLToPath(new URL("../../packages/testing/src/model-server/main.ts", import.meta.url));

export const streams = onEachBackend("in-flight-2000", async (bench, backend) => {
  const size = bench.smoke ? tiny : full;
  const { tasks, width } = size;
  const server = await startModelServer(bench, size);
  const env = {
    BATON_CONCURRENCY: String(tasks * width),
    // What is shipped protects a provider's rate limit; this provider has none.
    BATON_LIMITER_MAX: "1000000",
    ANTHROPIC_API_KEY: "bench",
    ANTHROPIC_BASE_URL: server.url,
  };
  try {
    return await withSystem(bench, { backend, workers: 1, env }, async (system) => {
      const [worker] = system.workers as readonly [Worker];
      const load = { bodies: [llmBody(width)], tasks, steps: tasks * width };
      let open = 0;
      const sample = async () => {
        open = Math.max(open, await performing(worker));
        return system.workerMegabytes();
      };
      const { result, most } = await whileSampling(runBodies(bench, system, load), sample);
      const of = (metric: string) => keyOf("in-flight-2000", backend, metric);
      return {
        values: { [of("rss-mb")]: most, [of("open-streams")]: open },
        lines: [
          {
            measure: "in-flight-2000",
            backend,
            figure: `${Math.round(most)} MB`,
            usage: result.usage,
            note: `worker's RSS; ${open} streams open at once`,
          },
        ],
      };
    });
  } finally {
    await server.stop();
  }
});

const llmBody = (width: number): unknown => ({
  plan: {
    steps: Array.from({ length: width }, (_, no) => ({
      id: `s${no}`,
      type: "llm",
      prompt: `Say something about ${no}.`,
    })),
  },
});

async function startModelServer({ servers, smoke }: Bench, { chunks, chunkDelayMs }: Size) {
  const script = join(servers.folder, `script-${smoke}.json`);
  const words = Array.from({ length: chunks }, (_, no) => `word${no} `);
  writeFileSync(script, JSON.stringify({ fallback: { chunks: words, chunkDelayMs } }));
  const child = spawn(process.execPath, [modelServer, script, "--with-parent"], { stdio: ["pipe", "pipe", "inherit"] });
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  for await (const line of createInterface({ input: child.stdout })) {
    const { url } = JSON.parse(line) as { url: string };
    return {
      url,
      async stop() {
        child.kill("SIGTERM");
        await exited;
      },
    };
  }
  throw new Error("The scripted model server did not start.");
}
