/**
 * The client process: starts runs, and looks at the database for their ends, as openworkflow tells nobody.
 *
 * The result of a run's own handle is looked up once a second, which would cost the peer up to a second a chain; counting
 * the finished runs, and looking at one run more often, costs it next to nothing.
 */
import { setTimeout as delay } from "node:timers/promises";
import { runIdleChains } from "../chains.ts";
import type { ChainLoad, IdleLoad } from "../peer.ts";
import { answerBench } from "../program.ts";
import { connectChain } from "./interface.ts";

const { backend, chain } = await connectChain();
const countEveryMs = 20;
const lookEveryMs = 2;

/** All runs are created at once: how many of them run at the same time is the workers' concurrency. */
async function runAll({ tasks, steps }: ChainLoad): Promise<number> {
  const before = await countFinished();
  const begin = performance.now();
  const runs = await Promise.all(Array.from({ length: tasks }, () => chain.run({ steps })));
  while ((await countFinished()) < before + tasks) await delay(countEveryMs);
  const seconds = (performance.now() - begin) / 1_000;
  for (const { workflowRun } of runs) {
    const finished = await finishedSteps(workflowRun.id);
    if (finished !== steps) throw new Error(`A chain of ${steps} steps answered ${finished}.`);
  }
  return seconds;
}

async function runOne(steps: number): Promise<number> {
  const { workflowRun } = await chain.run({ steps });
  for (;;) {
    const finished = await finishedSteps(workflowRun.id);
    if (finished !== undefined) return finished;
    await delay(lookEveryMs);
  }
}

async function countFinished(): Promise<number> {
  const { completed, failed } = await backend.countWorkflowRuns();
  if (failed > 0) throw new Error(`${failed} chains failed.`);
  return completed;
}

async function finishedSteps(workflowRunId: string): Promise<number | undefined> {
  return (await backend.getWorkflowRun({ workflowRunId }))?.output?.finished;
}

answerBench({ chains: runAll, idle: (load: IdleLoad) => runIdleChains(load, runOne) });
