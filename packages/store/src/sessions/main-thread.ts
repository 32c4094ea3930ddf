/**
 * What holds a blocked main thread, asked from another thread.
 *
 * 1. The question runs on the main thread in the middle of whatever it does: V8 interrupts JavaScript and regular
 *    expressions for it, so that a loop without an end answers too. A call into native code (a synchronous read,
 *    `execSync`) cannot be interrupted, and then there is no answer.
 * 2. The main thread goes on as if nothing had been asked.
 */
import { Session } from "node:inspector/promises";
import type { Runtime } from "node:inspector";
import type { AttemptNow } from "@baton/core/ports";

export interface Holder {
  /** Undefined when the code on the main thread belongs to no attempt. */
  readonly attempt: AttemptNow | undefined;
  /** The innermost functions, as a stack trace has them. */
  readonly where: string;
}

const shownFrames = 6;

/** Under this name the main thread keeps the function that tells its current attempt. */
export function attemptTeller(sessionId: string): symbol {
  return Symbol.for(`baton.session.${sessionId}`);
}

/** Undefined when the main thread does not answer within `withinMs`. */
export async function findHolder(sessionId: string, withinMs: number): Promise<Holder | undefined> {
  const teller = `globalThis[Symbol.for(${JSON.stringify(attemptTeller(sessionId).description)})]`;
  const expression = `JSON.stringify({ attempt: ${teller}?.(), stack: new Error().stack })`;
  const { promise, resolve } = Promise.withResolvers<Holder | undefined>();
  const timer = setTimeout(() => resolve(undefined), withinMs);
  try {
    const session = new Session();
    session.connectToMainThread();
    const asked = session.post("Runtime.evaluate", { expression, silent: true }) as Promise<Runtime.EvaluateReturnType>;
    asked.then(
      ({ result }) => resolve(typeof result.value === "string" ? holderOf(result.value) : undefined),
      () => resolve(undefined),
    );
    return await promise;
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}

function holderOf(json: string): Holder {
  const { attempt, stack } = JSON.parse(json) as { readonly attempt?: AttemptNow; readonly stack: string };
  // The first line is the error's name, the second the question itself.
  const frames = stack.split("\n").slice(2, 2 + shownFrames);
  return { attempt, where: frames.map((frame) => frame.trim()).join(", ") };
}
