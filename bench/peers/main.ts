/**
 * The figures of one peer: `node bench/peers/main.ts --peer restate`.
 *
 * `--in-flight 100,200` and `--rounds 1` narrow the run, `--set RESTATE_DEFAULT_NUM_PARTITIONS=4` tries another shape.
 */
import { constants } from "node:os";
import { parseArgs } from "node:util";
import { openPeer, peers } from "./index.ts";
import type { ChainFigures, PeerName } from "./index.ts";

const { values } = parseArgs({
  options: {
    "peer": { type: "string", multiple: true },
    "tasks": { type: "string", default: "1000" },
    "steps": { type: "string", default: "10" },
    "in-flight": { type: "string", default: "100,200,400,1000" },
    "rounds": { type: "string", default: "3" },
    "idle-runs": { type: "string", default: "200" },
    "set": { type: "string", multiple: true, default: [] },
  },
});

const [tasks, steps, rounds] = [Number(values.tasks), Number(values.steps), Number(values.rounds)];
const levels = values["in-flight"].split(",").map(Number);
const replaced = Object.fromEntries(values.set.map((part) => part.split(/=(.*)/s).slice(0, 2) as [string, string]));

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => process.exit(128 + constants.signals[signal]));
}

for (const name of values.peer ?? peers) {
  if (!peers.includes(name as PeerName)) throw new Error(`No peer is called ${name}: take one of ${peers.join(", ")}.`);
  const found = new Map<number, ChainFigures[]>(levels.map((level) => [level, []]));
  const idle: string[] = [];
  for (let round = 0; round < rounds; round++) {
    const peer = await openPeer(name as PeerName, replaced);
    if (round === 0) console.log(`${name} ${JSON.stringify(peer.shape)}`);
    try {
      const { p50, p99 } = await peer.runIdleChains({ runs: Number(values["idle-runs"]), steps });
      idle.push(`${p50.toFixed(1)}/${p99.toFixed(1)}`);
      for (const [inFlight, figures] of found) figures.push(await peer.runChains({ tasks, steps, inFlight }));
    } finally {
      await peer.close();
    }
  }
  for (const [inFlight, figures] of found) print(inFlight, figures);
  console.log(`  idle chain, p50/p99 ms: ${idle.join("  ")}`);
}

function print(inFlight: number, figures: readonly ChainFigures[]): void {
  const bySpeed = [...figures].sort((a, b) => a.stepsPerSecond - b.stepsPerSecond);
  const median = bySpeed[bySpeed.length >> 1];
  if (median === undefined) return;
  const thousands = (tasks * steps) / 1_000;
  const cpu = Object.entries(median.cpuSecondsByProgram).map(
    ([program, used]) => `${program} ${(used / thousands).toFixed(3)}`,
  );
  const all = bySpeed.map(({ stepsPerSecond }) => stepsPerSecond.toFixed(0)).join(", ");
  console.log(
    `  ${inFlight} in flight: ${median.stepsPerSecond.toFixed(0)} steps/s (${all}); ` +
      `CPU s per 1,000 steps ${(median.cpuSeconds / thousands).toFixed(3)}: ${cpu.join(", ")}`,
  );
}
