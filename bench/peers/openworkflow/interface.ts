/** The part of openworkflow's interface that the worker and the client use, and the workflow that they share. */
import { loadPackage } from "../packages.ts";

interface Run {
  readonly id: string;
  readonly status: string;
  readonly output: { readonly finished: number } | null;
}

export interface Backend {
  countWorkflowRuns(): Promise<{ readonly completed: number; readonly failed: number }>;
  getWorkflowRun(params: { workflowRunId: string }): Promise<Run | null>;
}

interface Step {
  run<Value>(config: { name: string }, step: () => Value): Promise<Value>;
}

export interface Client {
  newWorker(options: { concurrency: number }): { start(): Promise<void>; stop(): Promise<void> };
}

export interface Chain {
  run(input: { steps: number }): Promise<{ readonly workflowRun: Run }>;
}

interface OpenWorkflowPackage {
  OpenWorkflow: new (options: {
    backend: Backend;
  }) => Client & {
    defineWorkflow(
      spec: { name: string },
      workflow: (context: { input: { steps: number }; step: Step }) => Promise<{ finished: number }>,
    ): Chain;
  };
}

interface PostgresPackage {
  readonly BackendPostgres: { connect(url: string): Promise<Backend> };
}

/** Connects to the database of the environment and makes its tables when they are missing. */
export async function connectChain(): Promise<{ backend: Backend; client: Client; chain: Chain }> {
  const { OpenWorkflow } = await loadPackage<OpenWorkflowPackage>("openworkflow");
  const { BackendPostgres } = await loadPackage<PostgresPackage>("openworkflow/postgres");
  const backend = await BackendPostgres.connect(process.env["DATABASE_URL"] ?? "");
  const client = new OpenWorkflow({ backend });
  const chain = client.defineWorkflow({ name: "chain" }, async ({ input, step }) => {
    let finished = 0;
    for (let position = 0; position < input.steps; position++) {
      const { done } = await step.run({ name: `step-${position}` }, () => ({ done: 1 }));
      finished += done;
    }
    return { finished };
  });
  return { backend, client, chain };
}
