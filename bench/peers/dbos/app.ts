/** The application process: workflows start and run in it, as DBOS is a library; its driver is part of it. */
import { runChains, runIdleChains } from "../chains.ts";
import { loadPackage } from "../packages.ts";
import type { ChainLoad, IdleLoad } from "../peer.ts";
import { answerBench } from "../program.ts";

interface DbosSdk {
  readonly DBOS: {
    setConfig(config: Record<string, unknown>): void;
    launch(): Promise<void>;
    registerWorkflow<Result>(
      workflow: (steps: number) => Promise<Result>,
      config: { name: string },
    ): (steps: number) => Promise<Result>;
    runStep<Value>(step: () => Promise<Value>, config: { name: string }): Promise<Value>;
    startWorkflow<Result>(
      workflow: (steps: number) => Promise<Result>,
    ): (steps: number) => Promise<{ getResult(): Promise<Result> }>;
  };
}

const { DBOS } = await loadPackage<DbosSdk>("@dbos-inc/dbos-sdk");
const silent = () => {};

DBOS.setConfig({
  name: "bench",
  systemDatabaseUrl: process.env["DATABASE_URL"],
  systemDatabasePoolSize: Number(process.env["POOL"]),
  executorID: process.env["EXECUTOR"],
  applicationVersion: "1",
  logger: { info: silent, debug: silent, warn: silent, error: silent },
});

const chain = DBOS.registerWorkflow(
  async (steps) => {
    let finished = 0;
    for (let position = 0; position < steps; position++) {
      const { done } = await DBOS.runStep(() => Promise.resolve({ done: 1 }), { name: `step-${position}` });
      finished += done;
    }
    return { finished };
  },
  { name: "chain" },
);

async function runChain(steps: number): Promise<number> {
  const handle = await DBOS.startWorkflow(chain)(steps);
  return (await handle.getResult()).finished;
}

await DBOS.launch();
answerBench({
  chains: (load: ChainLoad) => runChains(load, runChain),
  idle: (load: IdleLoad) => runIdleChains(load, runChain),
});
