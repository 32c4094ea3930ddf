import { fileURLToPath } from "node:url";
import { globSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { createLog, createMeter, metrics } from "../src/index.ts";

const rooms = new URL("../../../", import.meta.url);

describe("metrics", () => {
  test("counters, gauges and histograms come out as Prometheus text with their help", async () => {
    const meter = createMeter({ service: "worker" });
    meter.count("baton_claims_total", { result: "claimed" });
    meter.count("baton_claims_total", { result: "claimed" }, 2);
    meter.gauge("baton_stage_depth", 4, { stage: "perform" });
    meter.gauge("baton_stage_depth", 3, { stage: "perform" });
    meter.observe("baton_attempt_ms", 42, { type: "llm" });
    const text = await meter.text();
    expect(text).toContain(`# HELP baton_claims_total ${metrics["baton_claims_total"]}`);
    expect(text).toMatch(/^baton_claims_total\{service="worker",result="claimed"\} 3$/m);
    expect(text).toMatch(/^baton_stage_depth\{service="worker",stage="perform"\} 3$/m);
    expect(text).toMatch(/^baton_attempt_ms_bucket\{service="worker",type="llm",le="50"\} 1$/m);
    expect(text).toMatch(/^baton_attempt_ms_bucket\{service="worker",type="llm",le="25"\} 0$/m);
    await meter.close();
  });

  test("two meters of one process do not mix", async () => {
    const [first, second] = [createMeter(), createMeter()];
    first.count("baton_claims_total");
    expect(await second.text()).not.toContain("baton_claims_total");
    await Promise.all([first.close(), second.close()]);
  });

  test("every metric that the sources name has a meaning, and every meaning is used", () => {
    const sources = ["packages/{executor,housekeeping,runtime}/src/**/*.ts", "apps/{api,worker}/src/**/*.ts"].flatMap(
      (pattern) => globSync(pattern, { cwd: fileURLToPath(rooms) }),
    );
    const named = new Set(
      sources.flatMap((path) =>
        [
          ...readFileSync(new URL(path, rooms), "utf8").matchAll(/\.(?:count|gauge|observe)\(\s*"(baton_[a-z_]+)"/g),
        ].map(([, name]) => name),
      ),
    );
    expect(named).toEqual(new Set(Object.keys(metrics)));
  });
});

describe("logs", () => {
  const linesOf = (write: (log: ReturnType<typeof createLog>) => void, level: "info" | "debug" = "info") => {
    const lines: string[] = [];
    write(
      createLog({
        level,
        fields: { service: "worker" },
        destination: { write: (line: string) => void lines.push(line) },
      }),
    );
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  };

  test("a line is JSON with the event, the level, the time and the fields", () => {
    const [line] = linesOf((log) => log.warn("loop-round-failed", { loop: "reaper" }));
    expect(line).toMatchObject({ level: "warn", event: "loop-round-failed", loop: "reaper", service: "worker" });
    expect(Date.parse(String(line?.["time"]))).toBeGreaterThan(0);
  });

  test("an error keeps its message and its cause", () => {
    const [line] = linesOf((log) => log.error("x", { error: new Error("outer", { cause: new Error("inner") }) }));
    expect(JSON.stringify(line?.["error"])).toMatch(/outer.*inner/);
  });

  test("a secret is masked, and a level below the chosen one is left out", () => {
    const lines = linesOf((log) => {
      log.debug("unseen");
      log.info("seen", { apiKey: "sk-secret", provider: { apiKey: "sk-other" } });
    });
    expect(lines).toHaveLength(1);
    expect(JSON.stringify(lines)).not.toMatch(/sk-/);
  });
});
