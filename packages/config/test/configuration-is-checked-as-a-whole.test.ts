import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BatonError } from "@baton/core";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { effectiveConfig, loadConfig, modelSettings, requireDatabaseUrl } from "../src/index.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "baton-config-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const load = (env: Record<string, string> = {}) => loadConfig({ folder, env });
const write = (name: string, text: string) => writeFileSync(join(folder, name), text);

function refusal(env: Record<string, string> = {}): BatonError {
  try {
    load(env);
  } catch (error) {
    if (error instanceof BatonError) return error;
    throw error;
  }
  throw new Error("it was accepted");
}

describe("configuration", () => {
  test("without files and variables has the documented defaults, and no URL", () => {
    const { config, sourceOf } = load();
    expect(config).toMatchObject({
      worker: { concurrency: 100, disabled: false },
      limiter: { max: 10, duration: 1_000 },
      task: { maxSteps: 50, contextWindowLimit: 100_000, checkpointInterval: 5, maxPlanRevisions: 5 },
      session: { beatMs: 3_000, leaseMs: 10_000 },
    });
    expect(config.databaseUrl).toBeUndefined();
    expect(config.redisUrl).toBeUndefined();
    expect(sourceOf("worker.concurrency")).toBe("default");
  });

  test("the environment goes before baton.<env>.toml, and that before baton.toml", () => {
    write("baton.toml", "[worker]\nconcurrency = 1\ngraceMs = 1\n[limiter]\nmax = 1\n");
    write("baton.staging.toml", "[worker]\nconcurrency = 2\ngraceMs = 2\n");
    const { config, sourceOf } = load({ BATON_ENV: "staging", BATON_CONCURRENCY: "3" });
    expect([config.worker.concurrency, config.worker.graceMs, config.limiter.max]).toEqual([3, 2, 1]);
    expect(["worker.concurrency", "worker.graceMs", "limiter.max"].map(sourceOf)).toEqual([
      "BATON_CONCURRENCY",
      "baton.staging.toml",
      "baton.toml",
    ]);
  });

  test.each([
    ["1", true],
    ["true", true],
    ["on", true],
    ["0", false],
    ["no", false],
    ["", false],
  ])("DISABLE_TASK_WORKER=%s means %s", (text, disabled) => {
    expect(load({ DISABLE_TASK_WORKER: text }).config.worker.disabled).toBe(disabled);
  });

  test("a list in a variable is separated by commas", () => {
    expect(load({ BATON_POOLS: "gpu, default," }).config.worker.pools).toEqual(["gpu", "default"]);
  });

  test("every error is reported at once, with setting, source and fix", () => {
    write(
      "baton.toml",
      '[worker]\nconcurrency = 0\nconcurency = 3\n[session]\nbeatMs = 5000\n[[models.openaiCompatible]]\nname = "local"\nbaseUrl = "nowhere"\nmodels = ["m"]\n',
    );
    const { code, message, problems } = refusal({
      DATABASE_URL: "mysql://x",
      BATON_MAX_STEPS: "many",
      DISABLE_TASK_WORKER: "perhaps",
    });
    expect(code).toBe("invalid-configuration");
    for (const part of [
      /worker\.concurrency \(from baton\.toml\)/,
      /worker\.concurency \(from baton\.toml\): there is no such setting/,
      /session\.leaseMs \(from default\): must be at least 3 × beatMs/,
      /models\.openaiCompatible\.0\.baseUrl \(from baton\.toml\): a URL like/,
      /databaseUrl \(from DATABASE_URL\): a URL like postgres/,
      /task\.maxSteps \(from BATON_MAX_STEPS\)/,
      /worker\.disabled \(from DISABLE_TASK_WORKER\)/,
    ]) {
      expect(message).toMatch(part);
    }
    expect(problems).toHaveLength(7);
  });

  test("a file that is no TOML is named", () => {
    write("baton.toml", "[worker\n");
    expect(refusal().message).toMatch(/- baton\.toml: the file cannot be read: /);
  });

  test("a key named __proto__ changes nothing but is reported", () => {
    write("baton.toml", "[__proto__]\npolluted = true\n");
    expect(() => load()).toThrow("__proto__");
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  });
});

describe("the key of the api", () => {
  test("is long enough not to be guessed, or refused without being shown", () => {
    expect(load({ BATON_API_KEY: "a-key-of-twenty-char" }).config.api.key).toBe("a-key-of-twenty-char");
    expect(load({ BATON_API_KEY: "" }).config.api.key).toBeUndefined();
    expect(() => load({ BATON_API_KEY: "short-secret" })).toThrow(/api\.key \(from BATON_API_KEY\): needs at least 20/);
    expect(() => load({ BATON_API_KEY: "short-secret" })).not.toThrow(/short-secret/);
  });
});

describe("the effective configuration", () => {
  test("names value, source and variable of every setting, and masks secrets", () => {
    write(
      "baton.toml",
      '[[models.openaiCompatible]]\nname = "local"\nbaseUrl = "http://user:pw@host/v1"\napiKey = "sk-local"\nmodels = ["a", "b"]\n',
    );
    const settings = effectiveConfig(
      load({
        DATABASE_URL: "postgres://me:hidden@host/db?sslpassword=alsohidden&x=1",
        ANTHROPIC_API_KEY: "sk-ant",
        BATON_API_KEY: "baton_hidden_hidden_hidden",
      }),
    );
    const of = (path: string) => settings.find((setting) => setting.path === path);
    expect(of("databaseUrl")).toEqual({
      path: "databaseUrl",
      value: "postgres://me:***@host/db?sslpassword=***&x=1",
      source: "DATABASE_URL",
      variable: "DATABASE_URL",
    });
    expect(of("models.anthropic.apiKey")?.value).toBe("***");
    expect(of("api.key")).toEqual({
      path: "api.key",
      value: "***",
      source: "BATON_API_KEY",
      variable: "BATON_API_KEY",
    });
    expect(of("models.openaiCompatible.0.models")).toMatchObject({ value: ["a", "b"], source: "baton.toml" });
    expect(of("worker.concurrency")).toEqual({
      path: "worker.concurrency",
      value: 100,
      source: "default",
      variable: "BATON_CONCURRENCY",
    });
    expect(JSON.stringify(settings)).not.toMatch(/hidden|sk-|:pw@/);
  });
});

describe("the models", () => {
  const settings = (env: Record<string, string> = {}) => modelSettings(load(env).config);

  test("are offline until somebody names a provider", () => {
    expect(settings({ BATON_OFFLINE_LATENCY_MS: "40" })).toEqual({
      providers: { openaiCompatible: [], offline: { latencyMs: 40 } },
      defaultModel: { provider: "offline", model: "offline-rules" },
      streamIdleMs: 120_000,
    });
  });

  test("default to Anthropic with a key, and to the first server without one", () => {
    write(
      "baton.toml",
      '[[models.openaiCompatible]]\nname = "local"\nbaseUrl = "http://127.0.0.1:1/v1"\nmodels = ["a", "b"]\n',
    );
    expect(settings().defaultModel).toEqual({ provider: "local", model: "a" });
    const keyed = settings({ ANTHROPIC_API_KEY: "k", ANTHROPIC_BASE_URL: "http://127.0.0.1:2" });
    expect(keyed.defaultModel.provider).toBe("anthropic");
    expect(keyed.providers.anthropic).toEqual({ apiKey: "k", baseUrl: "http://127.0.0.1:2" });
    expect(settings({ BATON_MODEL: "local/team/b" }).defaultModel).toEqual({ provider: "local", model: "team/b" });
  });

  test("a database nobody named is never guessed", () => {
    expect(() => requireDatabaseUrl(load().config)).toThrow("DATABASE_URL");
    expect(requireDatabaseUrl(load({ DATABASE_URL: "postgres://h/db" }).config)).toBe("postgres://h/db");
  });
});
