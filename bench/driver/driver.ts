/** The bench's end of the driver process. */
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { System } from "../system/system.ts";
import type { Load, LoadTimes } from "./load.ts";
import type { Answer, Call, Order } from "./main.ts";

export interface Driven<Result> {
  readonly result: Result;
  /** Processor seconds of the driver. */
  readonly processorSeconds: number;
}

export interface Driver {
  load(system: System, load: Load): Promise<Driven<LoadTimes>>;
  /** Milliseconds per run. */
  oneByOne(system: System, body: unknown, runs: number): Promise<Driven<readonly number[]>>;
  firstStarts(system: System, body: unknown, runs: number): Promise<Driven<readonly number[]>>;
  stop(): void;
}

interface Waiting {
  resolve(driven: Driven<unknown>): void;
  reject(error: Error): void;
}

export function startDriver(limitMs: number): Driver {
  const child = fork(fileURLToPath(new URL("./main.ts", import.meta.url)), {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const waiting = new Map<number, Waiting>();
  let no = 0;
  child.on("message", (message) => {
    const { no, result, error, processorSeconds } = message as Answer;
    const call = waiting.get(no);
    waiting.delete(no);
    if (error === undefined) call?.resolve({ result, processorSeconds });
    else call?.reject(new Error(`The driver failed: ${error}`));
  });
  child.once("exit", (code) => {
    for (const { reject } of waiting.values()) reject(new Error(`The driver ended with ${code}.`));
  });
  const send = ({ url, key }: System, order: Order): Promise<Driven<unknown>> =>
    new Promise((resolve, reject) => {
      waiting.set(++no, { resolve, reject });
      child.send({ no, url, key, order, limitMs } satisfies Call);
    });
  return {
    load: (system, load) => send(system, { order: "load", load }) as Promise<Driven<LoadTimes>>,
    oneByOne: (system, body, runs) =>
      send(system, { order: "one-by-one", body, runs }) as Promise<Driven<readonly number[]>>,
    firstStarts: (system, body, runs) =>
      send(system, { order: "first-starts", body, runs }) as Promise<Driven<readonly number[]>>,
    stop: () => child.disconnect(),
  };
}
