import { spawn } from "node:child_process";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it, onTestFinished, vi } from "vitest";

// Against a hang alone: every test starts a whole stack.
vi.setConfig({ testTimeout: 240_000 });

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const root = here("../../..");

interface Program {
  output(): string;
  readonly ended: Promise<number | null>;
}

function start(args: readonly string[], env: Readonly<Record<string, string>>): Program {
  const { DATABASE_URL: _1, REDIS_URL: _2, INIT_CWD: _3, ...inherited } = process.env;
  const child = spawn(process.execPath, args, {
    cwd: root,
    env: { ...inherited, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  onTestFinished(async () => {
    if (child.exitCode === null) child.kill("SIGTERM");
    await ended;
  });
  return { output: () => output, ended };
}

async function says({ output }: Program, text: string): Promise<void> {
  await vi.waitFor(() => expect(output()).toContain(text), { timeout: 120_000, interval: 50 });
}

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "baton-warehouse-"));
  onTestFinished(() => rm(path, { recursive: true, force: true, maxRetries: 20, retryDelay: 250 }));
  return path;
}

interface Up {
  readonly orders: string;
  readonly databaseUrl: string;
  /** What post-plan.ts answered. */
  post(): Promise<Record<string, unknown>>;
}

async function dev(env: Readonly<Record<string, string>>): Promise<Up> {
  const data = await folder();
  const orders = await folder();
  const cli = here("../../../apps/cli/src/main.ts");
  const args = [cli, "dev", "--data", data, "--port", "0", "--tools", here("../tools")];
  await says(start(args, { ...env, ORDERS_FOLDER: orders }), "baton dev up");
  const state = JSON.parse(readFileSync(join(data, "stack.json"), "utf8")) as {
    databaseUrl: string;
    urls: { api: string };
  };
  const apiKey = readFileSync(join(data, "api-key"), "utf8").trim();
  return {
    orders,
    databaseUrl: state.databaseUrl,
    async post() {
      const posted = start([here("../post-plan.ts")], { BATON_URL: state.urls.api, BATON_API_KEY: apiKey });
      expect(await posted.ended, posted.output()).toBe(0);
      const last =
        posted
          .output()
          .trim()
          .split("\n")
          .findLast((line) => line.startsWith("{")) ?? "";
      return JSON.parse(last) as Record<string, unknown>;
    },
  };
}

it("a tools folder is loaded, and a plan that names its tools runs", async () => {
  const { post, orders } = await dev({});
  const answer = await post();
  expect(answer).toMatchObject({ state: "completed", result: { articles: ["bolt", "washer"] } });
  expect(readdirSync(orders)).toHaveLength(1);
});

it("a worker of one's own, with the tools compiled in, performs the same plan", async () => {
  const { post, orders, databaseUrl } = await dev({ DISABLE_TASK_WORKER: "1" });
  await says(start([here("../worker.ts")], { DATABASE_URL: databaseUrl, ORDERS_FOLDER: orders }), "worker up");
  expect(await post()).toMatchObject({ state: "completed", result: { articles: ["bolt", "washer"] } });
  expect(readdirSync(orders).every((file) => existsSync(join(orders, file)))).toBe(true);
});
