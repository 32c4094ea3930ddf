/**
 * The effect sink: the outside world of a run, in a process of its own, so that what happened is known whatever dies.
 *
 * 1. A record is on file before its sender gets an answer.
 * 2. Nothing of Baton runs in it, and no fault is aimed at it.
 */
import { readFile, stat } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { freePort, type Program, startProgram, until } from "../../stack/program.ts";

/** What a chaos tool posts when its effect takes place. */
export interface EffectRecord {
  readonly taskId: string;
  readonly stepId: string;
  readonly attemptNo: number;
  readonly idempotencyKey: string;
  /** What a case wants to know it by. */
  readonly label?: string;
}

export interface StoredEffect extends EffectRecord {
  /** Unix ms. */
  readonly at: number;
  /** Of the process that posted it. */
  readonly pid: number;
}

export interface Sink {
  readonly url: string;
  /** Everything it has recorded, in the order of arrival. */
  effects(): Promise<readonly StoredEffect[]>;
  /** Bytes recorded: rises with every effect. */
  size(): Promise<number>;
  close(): Promise<void>;
}

const main = fileURLToPath(new URL("../programs/sink.ts", import.meta.url));

export async function startSink(file: string): Promise<Sink> {
  const port = await freePort();
  const env = { PATH: process.env["PATH"] ?? "", SINK_PORT: String(port), SINK_FILE: file };
  const program: Program = startProgram({ name: "sink", main, cwd: process.cwd(), env });
  const url = `http://127.0.0.1:${port}`;
  await until("the sink answers", async () => (await fetch(url)).ok, program);
  return {
    url,
    async effects() {
      const text = await readFile(file, "utf8");
      return text
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line) as StoredEffect);
    },
    size: async () => (await stat(file)).size,
    async close() {
      program.kill("SIGTERM");
      await program.exited;
    },
  };
}
