/** The bench at tiny scale, as `npm run bench -- --smoke --json` runs it: that it works, not how fast anything is. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, inject, it } from "vitest";
import { readArguments } from "../arguments.ts";

const main = fileURLToPath(new URL("../main.ts", import.meta.url));

interface Report {
  readonly ratios: Readonly<Record<string, number>>;
  readonly values: Readonly<Record<string, number>>;
  readonly environment: Readonly<Record<string, unknown>>;
}

async function run(args: readonly string[]): Promise<{ code: number | null; output: string; said: string }> {
  const child = spawn(process.execPath, [main, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  let said = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { code, output, said };
}

/** As the bench's readers know them; `of` is what stands before the metric. */
function valuesOn(backend: "redis" | "postgres"): string[] {
  const of = (measure: string): string => (backend === "redis" ? measure : `${measure}/${backend}`);
  return [
    `chain/${backend}/steps-per-second`,
    `chain-queued/${backend}/steps-per-second`,
    `idle-chain/${backend}/p50-ms`,
    `idle-chain/${backend}/p99-ms`,
    `fan-out-1000/${backend}/ms`,
    `start-latency/${backend}/p50-ms`,
    `start-latency/${backend}/p99-ms`,
    `${of("in-flight-10000")}/lost-leases`,
    `${of("in-flight-10000")}/rss-mb`,
    `${of("in-flight-2000")}/rss-mb`,
    `${of("active-1000")}/rss-mb`,
    `${of("active-1000")}/steps-per-second`,
    `${of("active-1000")}/bytes-per-task`,
    `${of("wide")}/deadlocks`,
    `idle-worker/${backend}/processor-percent`,
  ];
}

describe("a smoke run", () => {
  it("makes every measure on every backend, and ends with one JSON object", { timeout: 900_000 }, async () => {
    const { code, output, said } = await run(["--smoke", "--json"]);
    expect(code, said).toBe(0);
    const { values, ratios, environment } = JSON.parse(output.trim().split("\n").at(-1) ?? "") as Report;
    const present = inject("redisUnavailable") === "" ? (["redis", "postgres"] as const) : (["postgres"] as const);
    for (const key of [...present.flatMap(valuesOn), "plan-1000/ms", "plan-100000/ms"])
      expect(values, key).toHaveProperty([key], expect.any(Number));
    for (const backend of present) {
      const suffix = backend === "redis" ? "" : `/${backend}`;
      expect(ratios).toHaveProperty([`workers-2/1${suffix}`], expect.any(Number));
      expect(ratios).toHaveProperty([`stored-1m${suffix}/empty`], expect.any(Number));
    }
    expect(Object.entries({ ...values, ...ratios }).filter(([, figure]) => !Number.isFinite(figure))).toEqual([]);
    expect(environment).toMatchObject({ fsync: "on", synchronous_commit: "on", date: expect.any(String) });
    expect(Object.keys(environment)).toEqual(expect.arrayContaining(["versions", "settings", "cpu"]));
  });
});

describe("the command line", () => {
  it("names the measure or the backend that does not exist", () => {
    expect(() => readArguments(["--only", "chains"], ["chain", "wide"])).toThrow(/--only chains.*chain, wide/);
    expect(() => readArguments(["--backend", "kafka"], ["chain"])).toThrow(/--backend kafka.*redis or postgres/);
    expect(readArguments(["--only", "chain,wide", "--json"], ["chain", "wide"])).toMatchObject({
      json: true,
      smoke: false,
      only: ["chain", "wide"],
      backends: ["redis", "postgres"],
    });
  });
});
