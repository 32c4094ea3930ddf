import { existsSync, readFileSync, statSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createClient } from "@baton/client";
import { describe, expect, it } from "vitest";
import { baton, finished, livingOf, nothingLeft, temporaryFolder } from "./program.ts";
import type { Running } from "./program.ts";

const dev = ["dev", "--port", "0", "--workers", "2"];

async function up(cwd: string, args: readonly string[] = dev, env = {}): Promise<{ running: Running; url: string }> {
  const running = baton(args, { cwd, env });
  const [, url = ""] = await running.says(/api +(http:\/\/127\.0\.0\.1:\d+)/);
  return { running, url };
}

const workerPids = ({ stdout }: Running) =>
  [...stdout.matchAll(/worker-\d \(pid (\d+)\)/g)].map(([, pid]) => Number(pid));

describe("baton dev", () => {
  it("answers with its own key, attaches a second one, and leaves nothing after SIGTERM", async () => {
    const cwd = await temporaryFolder();
    const dataDir = join(cwd, ".baton");
    const { running, url } = await up(cwd);
    const key = readFileSync(join(dataDir, "api-key"), "utf8").trim();
    expect(statSync(join(dataDir, "api-key")).mode & 0o777).toBe(0o600);
    expect(running.stdout).toContain(key);
    await expect(createClient({ baseUrl: url }).request("listTasks", {})).rejects.toMatchObject({
      code: "unauthenticated",
    });
    expect(await createClient({ baseUrl: url, apiKey: key }).request("listTasks", {})).toMatchObject({ tasks: [] });
    for (const page of ["/docs", "/openapi.json"]) expect((await fetch(url + page)).status).toBe(200);

    const second = await finished(baton(["dev"], { cwd }));
    expect(second).toMatchObject({ exit: 0, stdout: expect.stringMatching(/Already up.*another --data/) as string });
    expect(second.stdout).toContain(url);

    running.child.kill("SIGTERM");
    expect(await running.ended).toBe(0);
    expect(running.stderr).toContain("nothing is left running");
    await nothingLeft(running, dataDir);
    for (const file of ["stack.lock", "stack.json", "postgres.lock"])
      expect(existsSync(join(dataDir, file))).toBe(false);
  });

  it("leaves nothing when it is killed, and the next one starts on the same data", async () => {
    const cwd = await temporaryFolder();
    const dataDir = join(cwd, ".baton");
    const first = await up(cwd);
    expect(livingOf(first.running, dataDir).length).toBeGreaterThanOrEqual(5);
    first.running.child.kill("SIGKILL");
    await nothingLeft(first.running, dataDir);

    const next = await up(cwd);
    next.running.child.kill("SIGINT");
    expect(await next.running.ended).toBe(0);
    await nothingLeft(next.running, dataDir);
  });

  it("starts a worker again that was killed", async () => {
    const cwd = await temporaryFolder();
    const { running, url } = await up(cwd);
    const [first = 0] = workerPids(running);
    process.kill(first, "SIGKILL");
    const [, next] = await running.says(/worker-1 started again \(pid (\d+)\)/);
    expect(Number(next)).not.toBe(first);
    expect((await fetch(`${url}/health/ready`)).status).toBe(200);
  });

  it("says which program does not come up, with its last words", async () => {
    const cwd = await temporaryFolder();
    await mkdir(join(cwd, "tools"));
    await writeFile(join(cwd, "tools", "broken.ts"), "export const nothing = 1;\n");
    const { exit, stderr } = await finished(baton(dev, { cwd }));
    expect(stderr).toMatch(/does not stay up[\s\S]*broken\.ts exports no tool/);
    expect(exit).toBe(69);
  });

  it("refuses a port that is taken", async () => {
    const cwd = await temporaryFolder();
    const { url } = await up(cwd);
    const other = await finished(baton(["dev", "--port", new URL(url).port], { cwd: await temporaryFolder() }));
    expect(other).toMatchObject({ exit: 69, stderr: expect.stringMatching(/is taken.*--port/) as string });
  });
});
