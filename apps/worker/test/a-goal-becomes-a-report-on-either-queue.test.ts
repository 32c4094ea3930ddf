import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startTestRedis } from "@baton/testing/servers";
import { describe, expect, inject, test } from "vitest";
import { openInstallation } from "./installation.ts";

const pages = {
  "harbour.md": "# Harbour\n\nWe decided to close the harbour in May. The crane stays open.\n",
  "bridge.md": "# Bridge\n\nThe bridge is old. We decided to repair the bridge before winter.\n",
};

async function runGoal(redisUrl?: string): Promise<void> {
  const workspace = mkdtempSync(join(tmpdir(), "baton-pages-"));
  for (const [name, text] of Object.entries(pages)) writeFileSync(join(workspace, name), text);
  const installation = await openInstallation(inject("postgresUrl"), redisUrl);
  try {
    const env = { BATON_WORKSPACES: workspace };
    const workers = await Promise.all([installation.startWorker(env), installation.startWorker(env)]);
    const ref = await installation.createGoal(
      "Summarise every Markdown file and list the decisions they contain",
      workspace,
    );
    const task = await installation.until(ref, "completed", "failed", "blocked");
    expect({ state: task.state, error: task.lastError }).toEqual({ state: "completed", error: undefined });
    expect(task.offline).toBe(true);
    const artifacts = await installation.store.listArtifacts(ref);
    expect(artifacts).toHaveLength(1);
    const found = await installation.store.readTaskArtifact(ref, artifacts[0]?.artifactId ?? "");
    const report = new TextDecoder().decode(found?.content);
    expect(report).toContain("We decided to close the harbour in May.");
    expect(report).toContain("We decided to repair the bridge before winter.");
    for (const worker of workers) worker.kill("SIGTERM");
    const ends = await Promise.all(workers.map(({ ended }) => ended));
    expect(ends).toEqual([
      { code: 0, signal: null },
      { code: 0, signal: null },
    ]);
    const troubles = workers.flatMap(({ lines }) => lines.filter(({ level }) => level === "warn" || level === "error"));
    expect(troubles).toEqual([]);
  } finally {
    await installation.close();
    rmSync(workspace, { recursive: true, force: true });
  }
}

describe("a goal without any key", () => {
  test("is planned, run by workers and reported, over PostgreSQL alone", async () => {
    await runGoal();
  });

  const missing = inject("redisUnavailable");
  const name = `is planned, run by workers and reported, over Redis${missing === "" ? "" : ` [skipped: ${missing}]`}`;
  test.skipIf(missing !== "")(name, async () => {
    const redis = await startTestRedis();
    if ("unavailable" in redis) throw new Error(redis.unavailable);
    try {
      await runGoal(redis.url);
    } finally {
      await redis.stop();
    }
  });
});
