/** One run of one case: a world of its own, the case, the invariants, and what is told about it. */
import type { Backend } from "../../stack/stack.ts";
import type { ChaosCase, Scale } from "./case.ts";
import { gather } from "./evidence.ts";
import { invariants, recoveredSteps } from "./invariants.ts";
import { everyWorkerWorks, streamsEqualTraces } from "./liveness.ts";
import type { Random } from "./random.ts";
import { dump, StalledError } from "./watchdog.ts";
import { startWorld, type World, type WorldOptions } from "./world.ts";

export interface CaseRun {
  readonly backend: Backend;
  readonly continuation: boolean;
  readonly random: Random;
  readonly scale: Scale;
  readonly postgresUrl: string;
  /** See World. */
  readonly slack: number;
  readonly stallMs?: number;
  readonly sabotage?: NonNullable<WorldOptions["sabotage"]>;
  /** Aborted when the run is interrupted: the world goes at once. */
  readonly signal?: AbortSignal;
}

export interface CaseReport {
  readonly id: string;
  readonly backend: Backend;
  readonly continuation: boolean;
  readonly seed: string;
  readonly scale: Scale;
  readonly faults: number;
  readonly recovered: number;
  /** Accepted tasks that are not as expected. */
  readonly lost: number;
  /** Outcomes that were committed twice and effects that nothing explains. */
  readonly duplicated: number;
  readonly longestGapMs: number;
  readonly deadlocks: number;
  readonly seconds: number;
  /** Empty when every invariant holds. */
  readonly findings: readonly string[];
  readonly faultLog: string;
  /** Rows, locks and logs, when something broke. */
  readonly dump?: string;
}

const shownFindings = 20;

export async function runCase(chaosCase: ChaosCase, run: CaseRun): Promise<CaseReport> {
  const { backend, continuation, random, scale, postgresUrl, slack, stallMs, sabotage } = run;
  const beganAt = performance.now();
  const about = { id: chaosCase.id, backend, continuation, seed: random.seed, scale };
  const world = await startWorld({
    ...chaosCase.world,
    backend,
    continuation,
    random,
    postgresUrl,
    slack,
    ...(stallMs !== undefined && { stallMs }),
    ...(sabotage !== undefined && { sabotage }),
  });
  const interrupted = Promise.withResolvers<never>();
  interrupted.promise.catch(() => undefined);
  const interrupt = (): void => interrupted.reject(new Error("The run was interrupted."));
  run.signal?.addEventListener("abort", interrupt, { once: true });
  if (run.signal?.aborted === true) interrupt();
  try {
    const judged = await Promise.race([judge(chaosCase, world, scale), interrupted.promise]);
    return { ...about, ...judged, seconds: secondsSince(beganAt), faultLog: world.faults.text() };
  } finally {
    run.signal?.removeEventListener("abort", interrupt);
    await world.close();
  }
}

type Judgement = Omit<CaseReport, "id" | "backend" | "continuation" | "seed" | "scale" | "seconds" | "faultLog">;

async function judge(chaosCase: ChaosCase, world: World, scale: Scale): Promise<Judgement> {
  const findings: string[] = [];
  let dumped: string | undefined;
  try {
    await chaosCase.run(world, scale);
    if (chaosCase.probes !== false) add("I7 every worker works", await everyWorkerWorks(world));
    add("I6 streams equal traces", await streamsEqualTraces(world));
  } catch (error) {
    findings.push(error instanceof StalledError ? error.message : textOf(error));
    dumped = error instanceof StalledError ? error.dump : await dump(world);
  }
  await world.end();
  const evidence = await gather(world);
  const recovered = recoveredSteps(evidence.tasks);
  const least = { faults: chaosCase.least?.faults ?? 1, recovered: chaosCase.least?.recovered ?? 1 };
  const counts = { lost: 0, duplicated: 0 };
  for (const [name, holds] of Object.entries(invariants)) {
    const found = holds({ evidence, faults: world.faults, recovered, least });
    if (name.startsWith("I1 ")) counts.lost += found.length;
    if (/^I[235] /.test(name)) counts.duplicated += found.length;
    add(name, found);
  }
  if (findings.length > 0) dumped ??= await dump(world);
  return {
    faults: world.faults.count(),
    recovered,
    ...counts,
    longestGapMs: evidence.longestGapMs,
    deadlocks: evidence.deadlocks,
    findings,
    ...(dumped !== undefined && { dump: dumped }),
  };

  function add(name: string, found: readonly string[]): void {
    findings.push(...found.slice(0, shownFindings).map((text) => `${name}: ${text}`));
    if (found.length > shownFindings) findings.push(`${name}: and ${found.length - shownFindings} more`);
  }
}

function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? "" : `\ncaused by ${textOf(error.cause)}`;
  return `${error.stack ?? error.message}${cause}`;
}

const secondsSince = (beganAt: number): number => Math.round((performance.now() - beganAt) / 100) / 10;
