/**
 * The scripted model server.
 *
 * Purpose: let tests, the README's curl lines and the demo's proofs run the real provider code over a
 * real socket, with answers, delays and faults from a script. Boundary: speaks the wire only; it
 * knows nothing of Baton.
 *
 * 1. Listens on 127.0.0.1 on a free port of its own.
 * 2. Every request is recorded before it is answered, with how it ended.
 * 3. `close` ends hanging answers too.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { answerAnthropic } from "./anthropic.ts";
import { errorBody, faultAnswer } from "./faults.ts";
import { RateLimits } from "./limits.ts";
import { answerOpenAi } from "./openai.ts";
import { PromptCache } from "./prompt-cache.ts";
import {
  type ModelServerRequest,
  type ModelServerScript,
  type ScriptedReply,
  ScriptReader,
  type Wire,
} from "./script.ts";
import { ConnectionOver, Passage } from "./wire.ts";

export interface ModelServer {
  /** `http://127.0.0.1:<port>`; both vendors' paths start at `/v1`. */
  readonly url: string;
  /** In order of arrival; count_tokens requests included. */
  readonly requests: readonly ModelServerRequest[];
  /** Adds replies to the end of the queue. */
  push(...replies: readonly ScriptedReply[]): void;
  close(): Promise<void>;
}

const wires: Readonly<Record<string, Wire>> = {
  "/v1/messages": "anthropic",
  "/v1/messages/count_tokens": "anthropic",
  "/v1/chat/completions": "openai",
};

export async function startModelServer(
  script: ModelServerScript,
  options: { port?: number } = {},
): Promise<ModelServer> {
  const reader = new ScriptReader(script);
  const cache = new PromptCache();
  const limits = new RateLimits(script.limits ?? {}, Date.now);
  const requests: ModelServerRequest[] = [];
  const server = createServer((incoming, response) => {
    answer(incoming, response, { reader, requests, limits, cache }).catch((error: unknown) => {
      if (error instanceof ConnectionOver) return;
      response.destroy(error instanceof Error ? error : new Error(String(error)));
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port ?? 0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    push: (...replies) => reader.push(...replies),
    close: () =>
      new Promise<void>((resolve, reject) => {
        server.close((error) => (error === undefined ? resolve() : reject(error)));
        server.closeAllConnections();
      }),
  };
}

interface Serving {
  readonly reader: ScriptReader;
  readonly requests: ModelServerRequest[];
  readonly limits: RateLimits;
  readonly cache: PromptCache;
}

async function answer(
  incoming: IncomingMessage,
  response: ServerResponse,
  { reader, requests, limits, cache }: Serving,
): Promise<void> {
  const path = (incoming.url ?? "").split("?", 1)[0] ?? "";
  const wire = wires[path];
  const body = await readJson(incoming);
  if (wire === undefined || incoming.method !== "POST" || body === undefined) {
    response.writeHead(wire === undefined ? 404 : 400, { "content-type": "application/json" });
    response.end(
      JSON.stringify(errorBody(wire ?? "anthropic", "invalid_request_error", `${incoming.method} ${path} with JSON?`)),
    );
    return;
  }
  const request: ModelServerRequest = {
    no: requests.length + 1,
    at: Date.now(),
    path,
    headers: Object.fromEntries(Object.entries(incoming.headers).map(([name, value]) => [name, String(value)])),
    body,
    wire,
    stream: body["stream"] === true,
    cached: cache.take({ body, wire }),
    outcome: "open",
    endedAt: undefined,
  };
  requests.push(request);
  const passage = new Passage(response, request);
  if (path.endsWith("/count_tokens")) return passage.json(200, { input_tokens: reader.countedTokens(body) });
  const limited = limits.take(request);
  passage.addHeaders(limited.headers);
  if (limited.isRefused)
    return passage.json(429, errorBody(wire, "rate_limit_error", "This request would exceed the rate limit."));
  const reply = await reader.next(request);
  if (reply === undefined) {
    return passage.json(500, errorBody(wire, "api_error", `The script has no reply for request ${request.no}.`));
  }
  passage.addHeaders(reply.headers ?? {});
  await passage.wait(reply.delayMs);
  if (reply.fault?.kind === "reset") passage.breakOff("reset");
  const fault = reply.fault === undefined ? undefined : faultAnswer(reply.fault, wire);
  if (fault !== undefined) {
    return passage.json(fault.status, errorBody(wire, fault.type, fault.message, fault.code), fault.headers);
  }
  await (wire === "anthropic" ? answerAnthropic : answerOpenAi)(request, reply, passage);
}

async function readJson(incoming: IncomingMessage): Promise<Record<string, unknown> | undefined> {
  const parts: Buffer[] = [];
  for await (const part of incoming) parts.push(part as Buffer);
  try {
    return JSON.parse(Buffer.concat(parts).toString("utf8")) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}
