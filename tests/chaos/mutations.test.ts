/** The suite notices when a safeguard is taken out of a verb: each mutation breaks an invariant of the case it names. */
import { describe, expect, inject, it } from "vitest";
import { cases } from "./cases/index.ts";
import { createRandom } from "./harness/random.ts";
import { runCase } from "./harness/run-case.ts";
import { brokenStallMs, mutations, sabotage } from "./mutations.ts";

const patienceMs = 300_000;

describe("the fault suite fails", () => {
  for (const mutation of mutations) {
    const chaosCase = cases.find(({ id }) => id === mutation.caughtBy);
    it(`when ${mutation.breaks} (${mutation.id})`, { timeout: patienceMs }, async () => {
      if (chaosCase === undefined) throw new Error(`There is no case ${mutation.caughtBy}.`);
      const { findings } = await runCase(chaosCase, {
        backend: "postgres",
        continuation: true,
        random: createRandom(`mutation/${mutation.id}`),
        scale: mutation.scale ?? chaosCase.scale.t,
        slack: 5,
        stallMs: brokenStallMs,
        postgresUrl: inject("postgresUrl"),
        sabotage: (database) => sabotage(database, mutation),
      });
      expect(findings).toContainEqual(expect.stringMatching(mutation.finding));
    });
  }
});
