/**
 * `npm run bench [-- --json --smoke --only chain,wide --backend redis --peers --profile FOLDER]`.
 *
 * Purpose: how fast Baton is, and where the processor time goes. Boundary: README.md says what is measured, how, and
 * what is not; each measure stands in measures/.
 */
import { constants } from "node:os";
import { readArguments } from "./arguments.ts";
import { startDriver } from "./driver/driver.ts";
import type { Bench, Line } from "./measures/measure.ts";
import { measures } from "./measures/index.ts";
import { comparison } from "./measures/comparison.ts";
import { describeEnvironment } from "./report/environment.ts";
import { formatTable } from "./report/table.ts";
import { startServers } from "./system/servers.ts";

const chosen = readArguments(
  process.argv.slice(2),
  measures.map(({ name }) => name),
);
/** For one order of the driver: a guard against tasks that never end. */
const limitMs = 600_000;
const servers = await startServers();
const driver = startDriver(limitMs);
/** Everything that was started leaves with this process; what is left is the folder. */
const leave = (signal: NodeJS.Signals) => {
  servers.remove();
  process.exit(128 + constants.signals[signal]);
};
process.once("SIGINT", leave);
process.once("SIGTERM", leave);
const bench: Bench = {
  servers,
  driver,
  smoke: chosen.smoke,
  profile: chosen.profile,
  kept: new Map(),
  say: (line) => console.error(line),
};
/** The peers are installed and run only when they are asked for. */
const isWanted = (name: string): boolean =>
  name === comparison.name ? chosen.peers : chosen.only.length === 0 || chosen.only.includes(name);
const present = chosen.backends.filter((backend) => backend !== "redis" || servers.startRedis !== undefined);
const values: Record<string, number> = {};
const ratios: Record<string, number> = {};
const lines: Line[] = [];
const environment = await describeEnvironment(servers, chosen);
try {
  for (const measure of measures) {
    if (!isWanted(measure.name)) continue;
    const begin = performance.now();
    try {
      const measured = await measure.run(bench, present);
      Object.assign(values, measured.values);
      Object.assign(ratios, measured.ratios);
      lines.push(...measured.lines);
    } catch (error) {
      // The other measures are worth having all the same.
      bench.say(`${measure.name} failed: ${error instanceof Error ? error.stack : String(error)}`);
      lines.push({ measure: measure.name, backend: "", figure: "failed" });
      process.exitCode = 1;
    }
    bench.say(`${measure.name}: ${((performance.now() - begin) / 1_000).toFixed(1)} s`);
  }
} finally {
  await Promise.all([...bench.kept.values()].map((system) => system.stop()));
  driver.stop();
  await servers.stop();
}
console.log(formatTable(lines));
if (chosen.json) console.log(JSON.stringify({ ratios, values, environment }));
