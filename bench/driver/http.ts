/** A client as small as it can be, so that the driver is not what is measured: node:http with connections kept open. */
import { Agent, request as httpRequest } from "node:http";
import type { IncomingMessage } from "node:http";

export interface Client {
  /** Throws when the answer is not 2xx. */
  post(path: string, body: string): Promise<unknown>;
  get(path: string): Promise<unknown>;
  /** Resolves when the task's stream of traces says that nothing moves any more. */
  untilOver(taskId: string): Promise<void>;
  close(): void;
}

export function createClient(url: string, key: string, connections: number): Client {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  // A stream holds its connection for as long as it is open.
  const streams = new Agent({ keepAlive: true });
  const headers = { authorization: `Bearer ${key}` };
  const { hostname, port } = new URL(url);

  function send(
    options: { method: string; path: string; agent: Agent; headers?: Readonly<Record<string, string | number>> },
    body: string | undefined,
  ): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const outgoing = httpRequest(
        { hostname, port, ...options, headers: { ...headers, ...options.headers } },
        resolve,
      );
      outgoing.once("error", reject);
      outgoing.end(body);
    });
  }

  async function call(method: string, path: string, body: string | undefined): Promise<unknown> {
    const sent =
      body === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
    const response = await send({ method, path, agent, headers: sent }, body);
    const text = await textOf(response);
    const { statusCode = 0 } = response;
    if (statusCode < 200 || statusCode > 299) throw new Error(`${method} ${path} was answered ${statusCode}: ${text}`);
    return JSON.parse(text);
  }

  return {
    post: (path, body) => call("POST", path, body),
    get: (path) => call("GET", path, undefined),
    async untilOver(taskId) {
      // Only the end is wanted: no trace has so high a number.
      const wanted = { "accept": "text/event-stream", "last-event-id": "999999999" };
      const path = `/api/v1/tasks/${taskId}/traces`;
      const response = await send({ method: "GET", path, agent: streams, headers: wanted }, undefined);
      if (!(await textOf(response)).includes("event: end")) throw new Error(`The stream of ${taskId} broke off.`);
    },
    close() {
      agent.destroy();
      streams.destroy();
    },
  };
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}
