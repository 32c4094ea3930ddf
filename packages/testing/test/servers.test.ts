import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readdir } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { describe, expect, inject, it } from "vitest";
import { redisUnavailable, startTestPostgres, startTestRedis } from "@baton/testing/servers";

async function ask(url: string, ...commands: string[]): Promise<string> {
  const socket = connect({ host: "127.0.0.1", port: Number(new URL(url).port) });
  socket.write(`${commands.map((command) => `${command}\r\n`).join("")}QUIT\r\n`);
  let answer = "";
  for await (const chunk of socket) answer += String(chunk);
  return answer.replaceAll("\r\n", " ").trim();
}

const refuses = (url: string) =>
  ask(url, "PING").then(
    () => false,
    () => true,
  );

describe("a PostgreSQL for tests", () => {
  it("is provided to every test file by the global setup", () => {
    expect(inject("postgresUrl")).toMatch(/^postgres:\/\/.+@127\.0\.0\.1:\d+\//);
    expect(inject("redisUnavailable")).toBeTypeOf("string");
  });

  it("takes its data along when it stops, and removes the folder of a killed run", async () => {
    const dead = spawnSync(process.execPath, ["-e", ""]).pid;
    const left = await mkdtemp(`${tmpdir()}/baton-test-postgres-${dead}-`);
    const server = await startTestPostgres();
    expect(existsSync(left)).toBe(false);
    const mine = async () =>
      (await readdir(tmpdir())).filter((name) => name.startsWith(`baton-test-postgres-${process.pid}-`));
    expect(await mine()).toHaveLength(1);
    await server.stop();
    expect(await mine()).toHaveLength(0);
  });

  it("uses the server that BATON_TEST_DATABASE_URL names, and leaves it alone", async () => {
    process.env["BATON_TEST_DATABASE_URL"] = "postgres://someone@db.example/x";
    try {
      const server = await startTestPostgres();
      await server.stop();
      expect(server.url).toBe("postgres://someone@db.example/x");
    } finally {
      delete process.env["BATON_TEST_DATABASE_URL"];
    }
  });
});

const reason = await redisUnavailable();

describe("a Redis for tests", () => {
  it("loses everything on a restart and on flushAll, keeps its URL, and evicts nothing", async ({ skip }) => {
    skip(reason !== undefined, reason);
    const redis = await startTestRedis();
    if ("unavailable" in redis) throw new Error(redis.unavailable);
    try {
      expect(await ask(redis.url, "SET a 1", "GET a")).toContain("$1 1");
      await redis.flushAll();
      expect(await ask(redis.url, "SET b 1", "GET a")).toContain("$-1");
      await redis.restart();
      expect(await ask(redis.url, "GET b", "CONFIG GET maxmemory-policy")).toMatch(/^\+?.*\$-1.*noeviction/);
      await redis.kill();
      expect(await refuses(redis.url)).toBe(true);
      await redis.start();
      expect(await ask(redis.url, "PING")).toContain("+PONG");
      await redis.stop();
      expect(await refuses(redis.url)).toBe(true);
    } finally {
      await redis.close();
    }
  });

  it("gives two suites two servers", async ({ skip }) => {
    skip(reason !== undefined, reason);
    const both = await Promise.all([startTestRedis(), startTestRedis()]);
    const urls = both.map((redis) => ("url" in redis ? redis.url : redis.unavailable));
    expect(new Set(urls).size).toBe(2);
    for (const redis of both) if ("close" in redis) await redis.close();
  });
});

describe("without a redis-server on PATH", () => {
  it("asks for a container, and says why there is none", async () => {
    const path = process.env["PATH"];
    const host = process.env["DOCKER_HOST"];
    process.env["PATH"] = "/nowhere";
    process.env["DOCKER_HOST"] = "tcp://127.0.0.1:9";
    try {
      expect(await startTestRedis()).toEqual({ unavailable: "no redis-server on PATH, and no Docker daemon answers" });
    } finally {
      process.env["PATH"] = path;
      if (host === undefined) delete process.env["DOCKER_HOST"];
      else process.env["DOCKER_HOST"] = host;
    }
  });
});
