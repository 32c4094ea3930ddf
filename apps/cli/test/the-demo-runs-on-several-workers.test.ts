import { existsSync, readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createClient } from "@baton/client";
import type { Step } from "@baton/contracts";
import { createTestDatabase } from "@baton/testing/databases";
import { startTestRedis } from "@baton/testing/servers";
import { describe, expect, inject, it, onTestFinished } from "vitest";
import { baton, nothingLeft, temporaryFolder } from "./program.ts";
import type { Running } from "./program.ts";

async function plantFiles(folder: string, count: number): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (let at = 1; at <= count; at++) {
    const text = `# File ${at}\n\nIt speaks about room ${at}.\n\n## Decision\n\nWe decided to paint room ${at} blue.\n`;
    await writeFile(join(folder, `file-${at}.md`), text);
  }
}

/** Workers by name, each with its steps that ran for a while. */
function byWorker(steps: readonly Step[]): ReadonlyMap<string, readonly Step[]> {
  const ran = steps.filter(({ worker, startedAt, finishedAt }) => worker && startedAt && finishedAt);
  return Map.groupBy(ran, ({ worker = "" }) => worker);
}

function overlap(one: Step, other: Step): boolean {
  const at = (time: string | undefined) => Date.parse(time ?? "");
  return at(one.startedAt) < at(other.finishedAt) && at(other.startedAt) < at(one.finishedAt);
}

function expectReport(demo: Running, cwd: string): void {
  const [, path = ""] = /^saved (\S+report\.md)/m.exec(demo.stdout) ?? [];
  const report = readFileSync(join(cwd, path), "utf8");
  expect(report).toMatch(/^\[offline model\]/);
  expect(report).toContain("We decided to paint room 7 blue.");
}

describe("baton demo", () => {
  it("plans without naming a file, runs on two processes at once, and its rows say so", async () => {
    const cwd = await temporaryFolder();
    await plantFiles(join(cwd, "some notes"), 12);
    const demo = baton(["demo", "some notes"], { cwd });
    expect(await demo.ended, demo.stderr).toBe(0);
    const dataDir = join(cwd, ".baton", "demo");
    await nothingLeft(demo, dataDir);
    expect(existsSync(join(dataDir, "stack.lock"))).toBe(false);
    expect(demo.stdout).toMatch(/The plan: \d+ steps[\s\S]*What ran where[\s\S]*worker-1 +[·█]+[\s\S]*worker-2/);
    expect(/The plan[\s\S]*?\n\n/.exec(demo.stdout)?.[0]).not.toContain("file-");
    expect(demo.stdout).toMatch(/\[offline model\].*\n.*waits 300 ms.*BATON_OFFLINE_LATENCY_MS/);
    for (const line of demo.stdout.split("\n")) expect(line.length).toBeLessThanOrEqual(100);
    expectReport(demo, cwd);

    const dev = baton(["dev", "--port", "0", "--data", dataDir], { cwd });
    const [, baseUrl = ""] = await dev.says(/api +(http:\S+)/);
    const client = createClient({ baseUrl, apiKey: readFileSync(join(dataDir, "api-key"), "utf8").trim() });
    const [, id = ""] = /task (\S+)/.exec(demo.stderr) ?? [];
    expect(await client.getTask(id)).toMatchObject({ state: "completed", offline: true, progress: 100 });
    const steps: Step[] = [];
    for await (const step of client.steps(id)) steps.push(step);
    const all = byWorker(steps.filter(({ kind }) => kind === "user")).values();
    const workers = [...all].filter((own) => own.length >= 2);
    expect(workers.length).toBeGreaterThanOrEqual(2);
    const [one, other] = workers;
    expect(one?.some((step) => other?.some((its) => overlap(step, its)))).toBe(true);
  });

  it("reads two hundred files", async () => {
    const cwd = await temporaryFolder();
    await plantFiles(join(cwd, "many"), 200);
    const env = { BATON_OFFLINE_LATENCY_MS: "1", BATON_LIMITER_MAX: "100000", COLUMNS: "80" };
    const demo = baton(["demo", "--dir", "many", "--workers", "2", "--out", "out"], { cwd, env });
    expect(await demo.ended, demo.stderr).toBe(0);
    expect(demo.stderr).toMatch(/✓ read +200 items/);
    const report = readFileSync(join(cwd, "out", "report.md"), "utf8");
    const found = Array.from({ length: 200 }, (_none, at) =>
      report.includes(`We decided to paint room ${at + 1} blue.`),
    );
    expect(found.filter(Boolean)).toHaveLength(200);
  });

  it("uses the stack that runs on --data, and leaves it alone", async () => {
    const cwd = await temporaryFolder();
    await plantFiles(join(cwd, "notes"), 8);
    const dev = baton(["dev", "--port", "0", "--workers", "2"], { cwd });
    const [, url = ""] = await dev.says(/api +(http:\S+)/);
    const demo = baton(["demo", "notes", "--data", ".baton"], { cwd });
    expect(await demo.ended, demo.stderr).toBe(0);
    expect(demo.stderr).toContain(url);
    expect(demo.stdout).toMatch(/setting of the running stack/);
    expectReport(demo, cwd);
    expect((await fetch(`${url}/health`)).status).toBe(200);
  });

  it("runs twice at once, on two data folders", async () => {
    const cwd = await temporaryFolder();
    await plantFiles(join(cwd, "notes"), 8);
    const both = [baton(["demo", "notes"], { cwd }), baton(["demo", "notes"], { cwd })];
    for (const demo of both) {
      expect(await demo.ended, demo.stderr).toBe(0);
      expectReport(demo, cwd);
    }
    for (const name of ["demo", "demo-2"]) expect(existsSync(join(cwd, ".baton", name, "postgres"))).toBe(true);
  });

  it("leaves nothing when it is interrupted", async () => {
    const cwd = await temporaryFolder();
    await plantFiles(join(cwd, "notes"), 8);
    const demo = baton(["demo", "notes"], { cwd, env: { BATON_OFFLINE_LATENCY_MS: "5000" } });
    await demo.says(/▸ plan/);
    demo.child.kill("SIGINT");
    expect(await demo.ended).toBe(130);
    expect(demo.stderr).toMatch(/Interrupted\. The task is kept/);
    await nothingLeft(demo, join(cwd, ".baton", "demo"));
  });

  const reason = inject("redisUnavailable");
  it.skipIf(reason !== "")(
    `does the same over Redis and a database of the user's${reason && ` [skipped: ${reason}]`}`,
    async () => {
      const redis = await startTestRedis();
      if ("unavailable" in redis) throw new Error(redis.unavailable);
      onTestFinished(() => redis.stop());
      const database = await createTestDatabase(inject("postgresUrl"));
      onTestFinished(() => database.drop());
      const cwd = await temporaryFolder();
      await plantFiles(join(cwd, "notes"), 12);
      const env = { DATABASE_URL: database.url, REDIS_URL: redis.url };
      const demo = baton(["demo", "notes"], { cwd, env });
      expect(await demo.ended, demo.stderr).toBe(0);
      expect(existsSync(join(cwd, ".baton", "demo", "postgres"))).toBe(false);
      expectReport(demo, cwd);
      await nothingLeft(demo, join(cwd, ".baton", "demo"));
    },
  );
});
