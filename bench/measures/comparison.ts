/**
 * `peers`: the same chains on Restate, DBOS Transact and openworkflow, in the same run as ours.
 *
 * 1. Three rounds; in each, ours and theirs alternate, every one alone on the machine and warmed up.
 * 2. The first round tries every number of chains in flight; the others repeat the best one. What counts is the
 *    median over the rounds, ours divided by theirs.
 */
import { openPeer } from "../peers/index.ts";
import type { PeerName } from "../peers/index.ts";
import { bestOf, chainEnv, chainSize, runChains, warmUp } from "./chain.ts";
import type { InFlight } from "./chain.ts";
import { idleChains } from "./latency.ts";
import { median, quantile, withSystem } from "./measure.ts";
import type { Bench, Line, Measure } from "./measure.ts";
import type { Backend } from "../system/system.ts";

interface Rate {
  readonly inFlight: InFlight;
  readonly stepsPerSecond: number;
  /** Processor seconds of all its processes per 1,000 steps. */
  readonly spent: number;
}

interface Round {
  readonly rates: readonly Rate[];
  /** Milliseconds of one chain on the idle system. */
  readonly idleMs: number | undefined;
}

interface Contestant {
  readonly name: string;
  run(bench: Bench, windows: readonly InFlight[]): Promise<Round>;
}

const roundCount = ({ smoke }: Bench): number => (smoke ? 1 : 3);
const idleRuns = ({ smoke }: Bench): number => (smoke ? 2 : 100);

function ours(name: string, backend: Backend, queued: boolean, measuresIdle: boolean): Contestant {
  return {
    name,
    run: (bench, windows) =>
      withSystem(bench, { backend, workers: 1, env: chainEnv(queued) }, async (system) => {
        await warmUp(bench, system);
        const { tasks, steps } = chainSize(bench);
        const rates: Rate[] = [];
        for (const inFlight of windows) {
          const { stepsPerSecond, usage } = await runChains(bench, system, { tasks, steps, inFlight });
          rates.push({ inFlight, stepsPerSecond, spent: Object.values(usage).reduce((sum, part) => sum + part, 0) });
        }
        const idleMs = measuresIdle ? quantile(await idleChains(bench, system, idleRuns(bench)), 0.5) : undefined;
        return { rates, idleMs };
      }),
  };
}

function theirs(name: PeerName): Contestant {
  return {
    name,
    async run(bench, windows) {
      const peer = await openPeer(name);
      try {
        const { tasks, steps } = chainSize(bench);
        const rates: Rate[] = [];
        for (const inFlight of windows) {
          const atOnce = inFlight === "all" ? tasks : inFlight;
          const { stepsPerSecond, cpuSeconds } = await peer.runChains({ tasks, steps, inFlight: atOnce });
          rates.push({ inFlight, stepsPerSecond, spent: (cpuSeconds * 1_000) / (tasks * steps) });
        }
        const idleMs =
          name === "restate" ? (await peer.runIdleChains({ runs: idleRuns(bench), steps })).p50 : undefined;
        return { rates, idleMs };
      } finally {
        await peer.close();
      }
    },
  };
}

/** Ours and theirs alternate. */
const contestantsOn = (backends: readonly Backend[]): readonly Contestant[] => [
  ...(backends.includes("redis") ? [ours("chain/redis", "redis", false, true)] : []),
  theirs("restate"),
  ...(backends.includes("redis") ? [ours("chain-queued/redis", "redis", true, false)] : []),
  theirs("dbos"),
  ...(backends.includes("postgres") ? [ours("chain/postgres", "postgres", false, false)] : []),
  theirs("openworkflow"),
];

const compared = [
  ["chain/redis", "restate"],
  ["chain-queued/redis", "restate"],
  ["chain/redis", "dbos"],
  ["chain/redis", "openworkflow"],
  ["chain/postgres", "dbos"],
] as const;

interface Standing {
  readonly stepsPerSecond: number;
  readonly idleMs: number | undefined;
  readonly line: Line;
}

export const comparison: Measure = {
  name: "peers",
  async run(bench, backends) {
    const contestants = contestantsOn(backends);
    const rounds = new Map<string, Round[]>(contestants.map(({ name }) => [name, []]));
    for (let no = 0; no < roundCount(bench); no++) {
      for (const { name, run } of contestants) {
        const own = rounds.get(name) as Round[];
        const windows = own[0] === undefined ? chainSize(bench).windows : [bestOf(own[0].rates).inFlight];
        const round = await run(bench, windows);
        own.push(round);
        bench.say(`peers round ${no + 1}: ${name}: ${listOf(round.rates)}`);
      }
    }
    const standings = new Map([...rounds].map(([name, own]) => [name, standingOf(name, own)]));
    const of = (name: string) => standings.get(name);
    const ratios: Record<string, number> = {};
    for (const [own, peer] of compared) {
      const [mine, their] = [of(own), of(peer)];
      if (mine !== undefined && their !== undefined)
        ratios[`${own}/${peer}`] = mine.stepsPerSecond / their.stepsPerSecond;
    }
    const [mine, their] = [of("chain/redis")?.idleMs, of("restate")?.idleMs];
    if (mine !== undefined && their !== undefined) ratios["idle-chain/redis/restate"] = mine / their;
    return {
      values: Object.fromEntries(
        [...standings].map(([name, { stepsPerSecond }]) => [`peers/${name}/steps-per-second`, stepsPerSecond]),
      ),
      ratios,
      lines: [
        ...[...standings.values()].map(({ line }) => line),
        ...Object.entries(ratios).map(
          ([name, ratio]): Line => ({ measure: name, backend: "", figure: `${ratio.toFixed(2)} ×` }),
        ),
      ],
    };
  },
};

const listOf = (rates: readonly Rate[]): string =>
  rates.map(({ inFlight, stepsPerSecond }) => `${inFlight}: ${Math.round(stepsPerSecond)}`).join(", ");

function standingOf(name: string, rounds: readonly Round[]): Standing {
  const first = rounds[0]?.rates ?? [];
  const best = bestOf(first).inFlight;
  const atBest = rounds.flatMap(({ rates }) => rates.filter(({ inFlight }) => inFlight === best));
  const stepsPerSecond = median(atBest.map((rate) => rate.stepsPerSecond));
  const spent = median(atBest.map((rate) => rate.spent));
  const idle = rounds.flatMap(({ idleMs }) => idleMs ?? []);
  const idleMs = idle.length === 0 ? undefined : median(idle);
  const notes = [
    `${best} in flight (${listOf(first)})`,
    `${spent.toFixed(2)} processor s per 1,000 steps`,
    ...(idleMs === undefined ? [] : [`idle chain ${idleMs.toFixed(1)} ms`]),
  ];
  const line = {
    measure: `peers: ${name}`,
    backend: "",
    figure: `${Math.round(stepsPerSecond)} steps/s`,
    note: notes.join("; "),
  } as const;
  return { stepsPerSecond, idleMs, line };
}
