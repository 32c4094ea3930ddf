/**
 * What holds a blocked main thread, asked from another thread.
 *
 * 1. V8 interrupts running JavaScript and regular expressions, so a loop without an end can be asked; a call into
 *    native code (a synchronous read, `execSync`) cannot, and then nothing is found.
 * 2. The main thread stays where it is: whoever asks is about to end the process.
 */
import { Session } from "node:inspector/promises";
import type { Debugger, Runtime } from "node:inspector";
import type { AttemptNow } from "@baton/core/ports";

export interface Holder {
  /** Undefined when the code on the main thread belongs to no attempt. */
  readonly attempt: AttemptNow | undefined;
  /** The innermost functions, as a stack trace has them. */
  readonly where: string;
}

const shownFrames = 5;

/** Under this name the main thread keeps the function that tells its current attempt. */
export function attemptTeller(sessionId: string): symbol {
  return Symbol.for(`baton.session.${sessionId}`);
}

/** Undefined when the main thread cannot be interrupted within `withinMs`. */
export async function findHolder(sessionId: string, withinMs: number): Promise<Holder | undefined> {
  const session = new Session();
  const { promise, resolve } = Promise.withResolvers<Holder | undefined>();
  const timer = setTimeout(() => resolve(undefined), withinMs);
  try {
    session.connectToMainThread();
    const urls = new Map<string, string>();
    session.on("Debugger.scriptParsed", ({ params }) => void urls.set(params.scriptId, params.url));
    session.once("Debugger.paused", ({ params }) => {
      readHolder(session, sessionId, params.callFrames, urls).then(resolve, () => resolve(undefined));
    });
    // Their answers come with the pause, or never.
    session.post("Debugger.enable").catch(() => resolve(undefined));
    session.post("Debugger.pause").catch(() => resolve(undefined));
    return await promise;
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}

async function readHolder(
  session: Session,
  sessionId: string,
  frames: readonly Debugger.CallFrame[],
  urls: ReadonlyMap<string, string>,
): Promise<Holder> {
  const told = `globalThis[Symbol.for(${JSON.stringify(attemptTeller(sessionId).description)})]?.()`;
  const answer = (await session.post("Debugger.evaluateOnCallFrame", {
    callFrameId: frames[0]?.callFrameId ?? "",
    expression: `JSON.stringify(${told} ?? null)`,
    silent: true,
  })) as Runtime.EvaluateReturnType;
  const json = answer.result.value as string | undefined;
  const frameText = ({ functionName, location }: Debugger.CallFrame): string =>
    `at ${functionName || "(anonymous)"} (${urls.get(location.scriptId) || "no file"}:${location.lineNumber + 1})`;
  return {
    attempt: json === undefined ? undefined : ((JSON.parse(json) as AttemptNow | null) ?? undefined),
    where: frames.slice(0, shownFrames).map(frameText).join(", "),
  };
}
