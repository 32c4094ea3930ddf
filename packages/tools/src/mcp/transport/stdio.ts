/**
 * MCP over a program's standard streams.
 *
 * Purpose: one program, one connection. Boundary: messages, not their meaning.
 *
 * 1. What is no message is counted and left out. A message beyond `maxMessageBytes` ends the connection, and the program.
 * 2. A flood is slowed down to what this process bears: beyond so many unasked messages a second nothing is read until the
 *    second is over, and the program waits on its pipe. Answers to our own calls wait with it.
 * 3. What the program writes to its error stream is for the operator's log: so many lines, cleaned of secrets.
 */
import { setTimeout as delay } from "node:timers/promises";
import {
  type JSONRPCMessage,
  parseJSONRPCMessage,
  serializeMessage,
  type Transport,
} from "@modelcontextprotocol/client";
import type { Cleaner } from "../secrets.ts";
import { type GroupOptions, type ProgramGroup, startGroup } from "./group.ts";
import { LineReader } from "./lines.ts";

/** Room for 32 MB of content in base64. */
export const maxMessageBytes = 48 * 1024 * 1024;
const unaskedPerSecond = 2_000;
const errorLineChars = 500;

export interface StdioOptions extends GroupOptions {
  readonly clean: Cleaner;
  readonly onErrorLine: (line: string) => void;
  readonly maxMessageBytes?: number;
}

/** A program whose pipes are broken has ended, or will have in a moment. */
const endWithinMs = 1_000;

export class StdioTransport implements Transport {
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: (message: JSONRPCMessage) => void;
  /** Why the connection ended, for people. */
  ending = "was closed";
  /** Lines that were no messages. */
  garbageCount = 0;
  readonly #options: StdioOptions;
  readonly #reader: LineReader;
  readonly #held: string[] = [];
  #group: ProgramGroup | undefined;
  #unasked = 0;
  #second = 0;
  #isPaused = false;
  #isClosed = false;

  constructor(options: StdioOptions) {
    this.#options = options;
    this.#reader = new LineReader(options.maxMessageBytes ?? maxMessageBytes);
  }

  get pid(): number | undefined {
    return this.#group?.pid;
  }

  async start(): Promise<void> {
    const group = await startGroup(this.#options);
    this.#group = group;
    group.output.on("data", (chunk: Buffer) => this.#read(chunk));
    const errors = new LineReader(65_536);
    group.errors.on("data", (chunk: Buffer) => {
      const lines = errors.take(chunk);
      // One endless line: the rest of the stream is of no use, and must not fill the pipe.
      if (lines === undefined) group.errors.removeAllListeners("data").resume();
      else for (const line of lines) this.#options.onErrorLine(this.#options.clean.text(line).slice(0, errorLineChars));
    });
    void group.ended.then((how) => {
      // What it wrote before it ended has been read by the time its stream ends; a child of it may hold that open.
      const done = (): void => this.#end(how);
      if (group.output.readableEnded || this.#isPaused) done();
      else {
        const timer = setTimeout(done, 500);
        group.output.once("end", () => {
          clearTimeout(timer);
          done();
        });
      }
    });
  }

  /** A pipe that is broken is told by how the program ended: whoever hears of it closes the connection, and ends it. */
  async send(message: JSONRPCMessage): Promise<void> {
    const input = this.#group?.input;
    if (input === undefined || this.#isClosed) throw new Error(`The server ${this.ending}.`);
    const failed = await new Promise<Error | null | undefined>((resolve) => {
      input.write(serializeMessage(message), resolve);
    });
    if (failed == null) return;
    const how = await this.endedWithin(endWithinMs);
    throw how === undefined ? failed : new Error(`The server ${how}.`);
  }

  /** How the program ended by itself; undefined when it has not within `withinMs`. */
  async endedWithin(withinMs: number): Promise<string | undefined> {
    const timeout = new AbortController();
    const over = delay(withinMs, undefined, { signal: timeout.signal }).catch(() => undefined);
    const how = await Promise.race([this.#group?.ended, over]);
    timeout.abort();
    return how;
  }

  async close(): Promise<void> {
    this.#end("was closed");
    await this.#group?.stop();
  }

  #end(how: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.ending = how;
    this.#group?.output.destroy();
    void this.#group?.stop();
    this.onclose?.();
  }

  #read(chunk: Buffer): void {
    const lines = this.#reader.take(chunk);
    if (lines === undefined) {
      this.#end(`sent a message of more than ${this.#options.maxMessageBytes ?? maxMessageBytes} bytes`);
      return;
    }
    for (const line of lines) this.#held.push(line);
    this.#deliver();
  }

  #deliver(): void {
    while (this.#held.length > 0 && !this.#isClosed) {
      if (this.#isPaused) return;
      const message = this.#messageOf(this.#held.shift() as string);
      if (message === undefined) continue;
      if ("method" in message && this.#isFlood()) this.#pause();
      this.onmessage?.(message);
    }
  }

  #messageOf(line: string): JSONRPCMessage | undefined {
    if (line.trim() === "") {
      if (this.#isFlood()) this.#pause();
      return undefined;
    }
    try {
      return parseJSONRPCMessage(this.#options.clean.value(JSON.parse(line)));
    } catch {
      this.garbageCount += 1;
      if (this.#isFlood()) this.#pause();
      // Its text stays out: it may be anything.
      this.onerror?.(new Error("a line of its output is no message"));
      return undefined;
    }
  }

  #isFlood(): boolean {
    const second = Math.floor(performance.now() / 1_000);
    if (second !== this.#second) {
      this.#second = second;
      this.#unasked = 0;
    }
    this.#unasked += 1;
    return this.#unasked > unaskedPerSecond;
  }

  #pause(): void {
    this.#isPaused = true;
    this.#group?.output.pause();
    const untilMs = 1_000 - (performance.now() % 1_000) + 1;
    setTimeout(() => {
      this.#isPaused = false;
      this.#deliver();
      if (!this.#isPaused) this.#group?.output.resume();
    }, untilMs);
  }
}
