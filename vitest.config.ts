/**
 * How every test of the repository runs.
 *
 * Boundary: what one room needs for its own tests stands in that room; here stands only what holds for all.
 * 1. Two forks: the target machine has two cores, and every suite brings its own servers.
 * 2. Timeouts are generous guards against a hang, never a measure of speed.
 * 3. Coverage thresholds are per room; a room without a line here has none.
 */
import { existsSync } from "node:fs";
import { defineConfig } from "vitest/config";
import { ClosingLineReporter } from "./tooling/vitest/closing-line-reporter.ts";

const sharedServers = "./packages/testing/src/servers/global-setup.ts";

const atLeast = (percent: number) => ({ lines: percent, statements: percent, functions: percent });

export default defineConfig({
  test: {
    include: [
      "apps/*/test/**/*.test.ts",
      "packages/*/test/**/*.test.ts",
      "examples/**/test/**/*.test.ts",
      "tests/**/*.test.ts",
      "bench/test/**/*.test.ts",
      "tooling/**/*.test.ts",
    ],
    exclude: ["**/node_modules/**", "**/.baton/**"],
    globalSetup: existsSync(new URL(sharedServers, import.meta.url)) ? [sharedServers] : [],
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    teardownTimeout: 30_000,
    restoreMocks: true,
    unstubEnvs: true,
    reporters: ["default", new ClosingLineReporter()],
    coverage: {
      provider: "v8",
      include: ["packages/*/src/**/*.ts", "apps/*/src/**/*.ts"],
      exclude: [
        // Entries of a thread and of a process of their own, where the coverage of a test's main thread sees nothing.
        // They hand in clocks, connections and exit codes; tests start them as what they are.
        "packages/store/src/sessions/beat.ts",
        "packages/store/src/migrations/main.ts",
      ],
      reporter: ["text-summary", "json-summary", "html"],
      reportOnFailure: true,
      thresholds: {
        "packages/core/src/**/*.ts": atLeast(98),
        "packages/store/src/**/*.ts": atLeast(95),
        "packages/queue/src/**/*.ts": atLeast(95),
        "packages/executor/src/**/*.ts": atLeast(95),
        "packages/orchestrator/src/**/*.ts": atLeast(95),
      },
    },
  },
});
