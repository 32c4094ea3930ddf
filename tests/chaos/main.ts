/**
 * `npm run chaos`: the fault suite at full scale, in the foreground, on servers that it starts itself.
 *
 * 1. One line for each finished run, and a table at the end; anything but "every invariant held" is a non-zero exit.
 * 2. SIGINT and SIGTERM end the run under way, and what was found until then is still told.
 * 3. The seed is printed first: with it the same victims are chosen again.
 */
import { randomBytes } from "node:crypto";
import { parseArgs } from "node:util";
import { redisUnavailable, startTestPostgres } from "@baton/testing/servers";
import { type Backend, backends } from "../stack/stack.ts";
import { cases } from "./cases/index.ts";
import type { ChaosCase } from "./harness/case.ts";
import { createRandom } from "./harness/random.ts";
import { failureText, scaleText, table } from "./harness/report.ts";
import { type CaseReport, runCase } from "./harness/run-case.ts";
import { boundedSchedule, type Combination, fullSchedule, type PlannedRun } from "./harness/schedule.ts";
import { brokenStallMs, type Mutation, mutations, sabotage } from "./mutations.ts";

const usage = `npm run chaos [-- --minutes N] [--seed S] [--case ID]… [--backend postgres|redis] [--json]
npm run chaos -- --mutation ${mutations.map(({ id }) => id).join("|")}   breaks Baton and expects the suite to notice

cases: ${cases.map(({ id }) => id).join(", ")}`;

interface Options {
  readonly minutes: number | undefined;
  readonly seed: string;
  readonly cases: readonly ChaosCase[];
  readonly backends: readonly Backend[];
  readonly json: boolean;
  readonly mutation: Mutation | undefined;
}

class UsageError extends Error {}

function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: "string" },
      seed: { type: "string" },
      case: { type: "string", multiple: true },
      backend: { type: "string" },
      mutation: { type: "string" },
      json: { type: "boolean", default: false },
    },
  });
  const minutes = values.minutes === undefined ? undefined : Number(values.minutes);
  if (minutes !== undefined && !(minutes > 0)) throw new UsageError(`--minutes ${values.minutes}: a number above 0.`);
  const mutation = mutations.find(({ id }) => id === values.mutation);
  if (values.mutation !== undefined && mutation === undefined)
    throw new UsageError(`--mutation ${values.mutation}: not known.`);
  const wanted = mutation === undefined ? values.case : [mutation.caughtBy];
  const unknown = wanted?.find((id) => cases.every((chaosCase) => chaosCase.id !== id));
  if (unknown !== undefined) throw new UsageError(`--case ${unknown}: not known.`);
  const only = backends.filter((backend) => values.backend === undefined || values.backend === backend);
  if (only.length === 0) throw new UsageError(`--backend ${values.backend}: postgres or redis.`);
  return {
    minutes,
    seed: values.seed ?? randomBytes(4).toString("hex"),
    cases: cases.filter(({ id }) => wanted?.includes(id) ?? true),
    backends: only,
    json: values.json,
    mutation,
  };
}

const say = (text: string): void => void process.stdout.write(`${text}\n`);

async function combinationsHere(wanted: readonly Backend[]): Promise<readonly Combination[]> {
  const missing = wanted.includes("redis") ? await redisUnavailable() : undefined;
  if (missing !== undefined) say(`skipped: everything over redis (${missing})`);
  return wanted
    .filter((backend) => backend !== "redis" || missing === undefined)
    .flatMap((backend) => [true, false].map((continuation) => ({ backend, continuation })));
}

interface Servers {
  readonly postgresUrl: string;
  readonly signal: AbortSignal;
}

async function runOne(planned: PlannedRun, seed: string, servers: Servers, mutation?: Mutation): Promise<CaseReport> {
  const { chaosCase, backend, continuation, scale, label } = planned;
  const random = createRandom(`${seed}/${label}`);
  return await runCase(chaosCase, {
    backend,
    continuation,
    random,
    scale,
    slack: 1,
    ...servers,
    ...(mutation !== undefined && {
      stallMs: brokenStallMs,
      sabotage: (database) => sabotage(database, mutation),
    }),
  });
}

/** Every run until the schedule ends, or the signal aborts. */
async function runAll(options: Options, servers: Servers): Promise<readonly CaseReport[]> {
  const combinations = await combinationsHere(options.backends);
  const schedule =
    options.minutes === undefined
      ? fullSchedule(options.cases, combinations)
      : boundedSchedule(options.cases, combinations);
  const endsAt = performance.now() + (options.minutes ?? Number.POSITIVE_INFINITY) * 60_000;
  const reports: CaseReport[] = [];
  while (!servers.signal.aborted) {
    const planned = schedule.next(endsAt - performance.now());
    if (planned === undefined) break;
    const beganAt = performance.now();
    try {
      const report = await runOne(planned, options.seed, servers);
      reports.push(report);
      say(lineOf(report));
      if (report.findings.length > 0) say(failureText(report));
    } catch (error) {
      if (servers.signal.aborted) break;
      throw new Error(`${planned.label} could not be run.`, { cause: error });
    }
    schedule.took(performance.now() - beganAt);
  }
  return reports;
}

function lineOf({ id, backend, continuation, scale, seconds, faults, findings }: CaseReport): string {
  const verdict = findings.length === 0 ? "ok    " : "BROKEN";
  const mode = `${backend}, continuation ${continuation ? "on" : "off"}`;
  return `${verdict} ${id.padEnd(18)} ${mode.padEnd(27)} ${scaleText(scale)}, ${faults} faults, ${seconds} s`;
}

function tell(options: Options, reports: readonly CaseReport[]): boolean {
  const notRun = options.cases.map(({ id }) => id).filter((id) => reports.every((report) => report.id !== id));
  const broken = reports.filter(({ findings }) => findings.length > 0);
  const combinations = new Set(reports.map(({ backend, continuation }) => `${backend}/${continuation ? "on" : "off"}`));
  say(`\n${table(reports)}\n`);
  say(`seed ${options.seed}; ran on ${[...combinations].join(", ")} (backend/continuation)`);
  if (notRun.length > 0) say(`not run: ${notRun.join(", ")}`);
  if (broken.length > 0)
    say(`broken: ${broken.map(({ id, backend, seed }) => `${id} over ${backend} (${seed})`).join(", ")}`);
  if (options.json) {
    const told = reports.map(({ dump: _, ...report }) => report);
    say(JSON.stringify({ seed: options.seed, notRun, reports: told }));
  }
  return broken.length === 0 && notRun.length === 0;
}

/** True when the suite noticed. */
async function runMutation(options: Options, mutation: Mutation, servers: Servers): Promise<boolean> {
  say(`Baton is broken on purpose: ${mutation.breaks}.`);
  const [combination] = await combinationsHere(options.backends);
  const [chaosCase] = options.cases;
  if (combination === undefined || chaosCase === undefined) return false;
  const planned = { chaosCase, ...combination, scale: mutation.scale ?? chaosCase.scale.t, label: mutation.id };
  const { findings } = await runOne(planned, options.seed, servers, mutation);
  say(findings.slice(0, 5).join("\n"));
  const isCaught = findings.some((text) => mutation.finding.test(text));
  say(isCaught ? `\nThe case ${chaosCase.id} noticed.` : `\nThe case ${chaosCase.id} did NOT notice.`);
  return isCaught;
}

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2));
  const stopping = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stopping.abort());
  say(`seed ${options.seed}`);
  const postgres = await startTestPostgres({ max_connections: 400 });
  try {
    const servers = { postgresUrl: postgres.url, signal: stopping.signal };
    const { mutation } = options;
    const holds =
      mutation === undefined
        ? tell(options, await runAll(options, servers))
        : await runMutation(options, mutation, servers);
    if (stopping.signal.aborted) return 130;
    return holds ? 0 : 1;
  } finally {
    await postgres.stop();
  }
}

process.exitCode = await main().catch((error: unknown) => {
  const isUsage =
    error instanceof UsageError || (error as { code?: string }).code?.startsWith("ERR_PARSE_ARGS") === true;
  console.error(isUsage ? `${(error as Error).message}\n\n${usage}` : error);
  return isUsage ? 64 : 70;
});
