/**
 * What a measure is given and what it gives.
 *
 * 1. A measure starts the systems that it needs and stops them. A smoke run keeps them for the next measure, as
 *    starting them is most of what it does.
 * 2. The keys of values and ratios are those of README.md; one without a backend's name is that of Redis.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Driver } from "../driver/driver.ts";
import type { Servers } from "../system/servers.ts";
import { parts, startSystem } from "../system/system.ts";
import type { Backend, System, SystemOptions, Usage } from "../system/system.ts";

export interface Bench {
  readonly servers: Servers;
  readonly driver: Driver;
  /** Tiny scale: that it runs, not how fast. */
  readonly smoke: boolean;
  /** Folder for processor profiles of every process. */
  readonly profile: string | undefined;
  /** Systems that a smoke run uses for several measures; stopped at its end. */
  readonly kept: Map<string, System>;
  /** Says what is going on, to a person. */
  say(line: string): void;
}

/** One line of the table. */
export interface Line {
  readonly measure: string;
  readonly backend: Backend | "";
  readonly figure: string;
  /** Processor milliseconds per step and part: equal to seconds per 1,000 steps. */
  readonly usage?: Usage;
  readonly note?: string;
}

export interface Measured {
  readonly values: Readonly<Record<string, number>>;
  readonly ratios?: Readonly<Record<string, number>>;
  readonly lines: readonly Line[];
}

export interface Measure {
  readonly name: string;
  /** `backends` are those that were asked for and that this machine has. */
  readonly run: (bench: Bench, backends: readonly Backend[]) => Promise<Measured>;
}

export const together = (measured: readonly Measured[]): Measured => ({
  values: Object.assign({}, ...measured.map(({ values }) => values)),
  ratios: Object.assign({}, ...measured.map(({ ratios }) => ratios)),
  lines: measured.flatMap(({ lines }) => lines),
});

/** A measure that is made on one backend after the other. */
export function onEachBackend(name: string, run: (bench: Bench, backend: Backend) => Promise<Measured>): Measure {
  return {
    name,
    async run(bench, backends) {
      const measured: Measured[] = [];
      for (const backend of backends) measured.push(await run(bench, backend));
      return together(measured);
    },
  };
}

type SystemChoice = Pick<SystemOptions, "backend" | "workers" | "env" | "database">;

/** Lends a system to `use`; it is stopped afterwards, whatever happens. */
export async function withSystem<Result>(
  bench: Bench,
  choice: SystemChoice,
  use: (system: System) => Promise<Result>,
): Promise<Result> {
  const keep = bench.smoke && choice.database === undefined;
  const name = JSON.stringify([choice.backend, choice.workers, choice.env ?? {}]);
  const start = () => startSystem({ servers: bench.servers, profile: bench.profile, ...choice });
  const system = (keep ? bench.kept.get(name) : undefined) ?? (await start());
  if (keep) bench.kept.set(name, system);
  try {
    return await use(system);
  } catch (error) {
    bench.say(system.printed());
    throw error;
  } finally {
    if (!keep) await system.stop();
  }
}

/** Processor seconds per 1,000 steps. */
export function perThousand(
  before: Omit<Usage, "driver">,
  after: Omit<Usage, "driver">,
  driver: number,
  steps: number,
) {
  const of = (part: keyof Usage): number => (part === "driver" ? driver : after[part] - before[part]);
  return Object.fromEntries(parts.map((part) => [part, (of(part) * 1_000) / steps])) as unknown as Usage;
}

export const total = (usage: Usage): number => parts.reduce((sum, part) => sum + usage[part], 0);

export function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}

/** Samples a value until the work is done; resolves to its result and the largest sample. */
export async function whileSampling<Result>(
  work: Promise<Result>,
  sample: () => number | Promise<number>,
): Promise<{ readonly result: Result; readonly most: number }> {
  let most = 0;
  let over = false;
  const sampling = (async () => {
    while (!over) {
      most = Math.max(most, await sample());
      await delay(100);
    }
  })();
  try {
    return {
      result: await work,
      get most() {
        return most;
      },
    };
  } finally {
    over = true;
    await sampling;
  }
}

export const median = (values: readonly number[]): number => quantile(values, 0.5);

/** `active-1000/rss-mb` for Redis, `active-1000/postgres/rss-mb` for PostgreSQL. */
export const keyOf = (measure: string, backend: Backend, metric: string): string =>
  backend === "redis" ? `${measure}/${metric}` : `${measure}/${backend}/${metric}`;
