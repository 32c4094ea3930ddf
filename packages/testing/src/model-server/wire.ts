/**
 * One answer's passage over HTTP: waiting, chunk by chunk, and breaking off on purpose.
 *
 * 1. A client that goes away ends every wait at once and is recorded as `aborted`.
 * 2. A fault that breaks the connection is recorded as `broken`, never as `answered`.
 */
import type { ServerResponse } from "node:http";
import type { ModelServerRequest, ScriptedReply } from "./script.ts";

/** The connection is gone, by the client's doing or by the script's. */
export class ConnectionOver extends Error {}

export class Passage {
  readonly #response: ServerResponse;
  readonly #request: ModelServerRequest;
  readonly #gone = new AbortController();
  #headers: Readonly<Record<string, string>> = {};

  constructor(response: ServerResponse, request: ModelServerRequest) {
    this.#response = response;
    this.#request = request;
    response.on("close", () => {
      if (this.#request.outcome === "open") this.#end(response.writableFinished ? "answered" : "aborted");
      this.#gone.abort();
    });
  }

  /** Of the answer, whatever it is. */
  addHeaders(headers: Readonly<Record<string, string>>): void {
    this.#headers = { ...this.#headers, ...headers };
  }

  #end(outcome: "answered" | "aborted" | "broken"): void {
    this.#request.outcome = outcome;
    this.#request.endedAt = Date.now();
  }

  async wait(ms: number | undefined): Promise<void> {
    if (ms === undefined || ms <= 0) return this.#alive();
    await new Promise<void>((resolve) => {
      const stop = (): void => {
        clearTimeout(timer);
        this.#gone.signal.removeEventListener("abort", stop);
        resolve();
      };
      const timer = setTimeout(stop, ms);
      this.#gone.signal.addEventListener("abort", stop);
    });
    this.#alive();
  }

  /** Never answers; returns by throwing when the client gives up or the server closes. */
  async hang(): Promise<never> {
    await new Promise<void>((resolve) => {
      if (this.#gone.signal.aborted) resolve();
      else this.#gone.signal.addEventListener("abort", () => resolve(), { once: true });
    });
    throw new ConnectionOver();
  }

  breakOff(how: "reset" | "end"): never {
    this.#end("broken");
    if (how === "end") this.#response.end();
    else this.#response.socket?.resetAndDestroy();
    throw new ConnectionOver();
  }

  json(status: number, body: unknown, headers: Record<string, string> = {}): void {
    this.#response.writeHead(status, { "content-type": "application/json", ...this.#headers, ...headers });
    this.#response.end(JSON.stringify(body));
  }

  /** Half of a JSON body, then a reset: what a cut looks like without streaming. */
  async halfJson(body: unknown): Promise<never> {
    const text = JSON.stringify(body);
    this.#response.writeHead(200, { "content-type": "application/json", "content-length": String(text.length) });
    await this.#write(text.slice(0, text.length >> 1));
    return this.breakOff("reset");
  }

  startStream(): void {
    this.#response.writeHead(200, {
      "content-type": "text/event-stream",
      "cache-control": "no-cache",
      ...this.#headers,
    });
    this.#response.flushHeaders();
  }

  async event(name: string | undefined, data: unknown): Promise<void> {
    this.#alive();
    const text = typeof data === "string" ? data : JSON.stringify(data);
    await this.#write(`${name === undefined ? "" : `event: ${name}\n`}data: ${text}\n\n`);
  }

  endStream(): void {
    this.#response.end();
  }

  #alive(): void {
    if (this.#gone.signal.aborted) throw new ConnectionOver();
  }

  async #write(text: string): Promise<void> {
    await new Promise<void>((resolve) => this.#response.write(text, () => resolve()));
  }
}

/** Sends chunks with their delays and lets the fault strike after its chunk. */
export async function sendChunks(
  passage: Passage,
  reply: ScriptedReply,
  chunks: readonly string[],
  send: (chunk: string) => Promise<void>,
  sendError: (type: string, message: string) => Promise<void>,
): Promise<void> {
  for (let sent = 0; ; sent += 1) {
    await strike(passage, reply, sent, chunks.length, sendError);
    const chunk = chunks[sent];
    if (chunk === undefined) return;
    await passage.wait(reply.chunkDelayMs);
    await send(chunk);
  }
}

async function strike(
  passage: Passage,
  reply: ScriptedReply,
  sent: number,
  chunkCount: number,
  sendError: (type: string, message: string) => Promise<void>,
): Promise<void> {
  const fault = reply.fault;
  if (fault === undefined || !("afterChunks" in fault || fault.kind === "hang" || fault.kind === "error-event")) return;
  if (sent !== Math.min(fault.afterChunks ?? 0, chunkCount)) return;
  if (fault.kind === "hang") await passage.hang();
  if (fault.kind === "cut") passage.breakOff(fault.how ?? "reset");
  if (fault.kind === "error-event") {
    await sendError(fault.type ?? "overloaded_error", fault.message ?? "Overloaded");
    passage.endStream();
    throw new ConnectionOver();
  }
}
