/**
 * The fault suite at the scale of `npm test`: every case over every backend, with continuation on one of them and off
 * on the other; `npm run chaos` runs all combinations at full scale.
 */
import { describe, expect, inject, it, vi } from "vitest";
import { backends } from "../stack/stack.ts";
import { cases } from "./cases/index.ts";
import { createRandom } from "./harness/random.ts";
import { failureText } from "./harness/report.ts";
import { runCase } from "./harness/run-case.ts";

const patienceMs = 300_000;
/** Most of a case is waiting for leases, so several run side by side; more would only wait for the processor. */
vi.setConfig({ maxConcurrency: 4 });
const slack = 5;

/** So that no long one is left alone at the end. */
const longestFirst = [...cases.entries()].sort(([, a], [, b]) => b.seconds.t - a.seconds.t);

for (const backend of backends) {
  const missing = inject("redisUnavailable");
  const reason = backend === "redis" && missing !== "" ? missing : undefined;
  const name = `faults over ${backend}${reason === undefined ? "" : ` [skipped: ${reason}]`}`;
  describe.skipIf(reason !== undefined).concurrent(name, () => {
    for (const [at, chaosCase] of longestFirst) {
      if (!chaosCase.backends.includes(backend)) continue;
      const continuation = (at + backends.indexOf(backend)) % 2 === 0;
      it(`${chaosCase.id}: ${chaosCase.claims}`, { timeout: patienceMs }, async () => {
        const random = createRandom(`t/${chaosCase.id}/${backend}`);
        const scale = chaosCase.scale.t;
        const report = await runCase(chaosCase, {
          backend,
          continuation,
          random,
          scale,
          slack,
          postgresUrl: inject("postgresUrl"),
        });
        expect(report.findings, failureText(report)).toEqual([]);
      });
    }
  });
}
