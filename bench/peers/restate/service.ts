/** The service process: one handler that runs a chain of durable steps, served over HTTP/2. */
import { createServer } from "node:http2";
import type { IncomingMessage, ServerResponse } from "node:http";
import { loadPackage } from "../packages.ts";
import { answerBench } from "../program.ts";

interface Context {
  run<Value>(name: string, step: () => Value): Promise<Value>;
}

interface RestateSdk {
  service(definition: {
    name: string;
    handlers: Record<string, (context: Context, input: { steps: number }) => Promise<unknown>>;
  }): unknown;
  createEndpointHandler(options: {
    services: unknown[];
    logger: () => void;
  }): (request: IncomingMessage, response: ServerResponse) => void;
}

const { createEndpointHandler, service } = await loadPackage<RestateSdk>("@restatedev/restate-sdk");

const chain = service({
  name: "chain",
  handlers: {
    async run(context, { steps }) {
      let finished = 0;
      for (let position = 0; position < steps; position++) {
        const { done } = await context.run(`step-${position}`, () => ({ done: 1 }));
        finished += done;
      }
      return { finished };
    },
  },
});

const endpoint = createEndpointHandler({ services: [chain], logger: () => {} });
createServer(endpoint as never).listen(Number(process.env["PORT"]), "127.0.0.1", () => answerBench({}));
