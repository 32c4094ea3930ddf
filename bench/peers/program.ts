/**
 * A program of a peer, and the talk with it.
 *
 * Purpose: services, workers and drivers are processes of their own; the bench asks them over Node's channel.
 * Boundary: both ends of the channel, and nothing about any peer.
 *
 * 1. A program leaves when the bench does, however that ends: the channel closes.
 * 2. One question at a time; a failure in the program is the failure of the question.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import path from "node:path";

interface Question {
  readonly name: string;
  readonly input: unknown;
}

type Answer = { readonly value: unknown } | { readonly error: string };

export interface Program {
  readonly pid: number;
  ask<Value>(name: string, input?: unknown): Promise<Value>;
  stop(): Promise<void>;
}

/** Starts a TypeScript file of this folder; resolves when it answers. */
export async function startProgram(file: string, settings: Readonly<Record<string, string>>): Promise<Program> {
  const child = fork(path.join(import.meta.dirname, file), {
    env: { PATH: process.env["PATH"], NODE_ENV: "production", ...settings },
    execArgv: ["--disable-warning=DeprecationWarning"],
    serialization: "advanced",
  });
  const exited = once(child, "exit") as Promise<[number | null, NodeJS.Signals | null]>;
  const answer = async (): Promise<unknown> => {
    const [said] = await Promise.race([
      once(child, "message") as Promise<[Answer]>,
      exited.then(([code, signal]) => Promise.reject(new Error(`${file} ended with ${signal ?? code}.`))),
    ]);
    if ("error" in said) throw new Error(`${file}: ${said.error}`);
    return said.value;
  };
  await answer();
  return {
    pid: child.pid!,
    async ask<Value>(name: string, input?: unknown) {
      child.send({ name, input } satisfies Question);
      return (await answer()) as Value;
    },
    async stop() {
      child.kill("SIGTERM");
      const limit = setTimeout(() => child.kill("SIGKILL"), 5_000);
      await exited;
      clearTimeout(limit);
    },
  };
}

/** The program's end: says that it is ready, and answers by the table until the bench leaves. */
export function answerBench(answers: Readonly<Record<string, (input: never) => Promise<unknown>>>): void {
  const say = (answer: Answer) => process.send?.(answer);
  process.once("disconnect", () => process.exit());
  process.on("message", ({ name, input }: Question) => {
    const asked = answers[name] ?? (() => Promise.reject(new Error(`nobody answers ${name}`)));
    asked(input as never).then(
      (value) => say({ value }),
      (error: Error) => say({ error: error.stack ?? String(error) }),
    );
  });
  say({ value: "ready" });
}
