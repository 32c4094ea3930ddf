/**
 * From any error to what the person reads and the exit code (sysexits(3); 0 = the task completed).
 */
import { BatonClientError } from "@baton/client";
import { exitCodeOf } from "@baton/contracts";

/** A command that cannot go on, with its exit code. */
export class CommandFailure extends Error {
  readonly exitCode: number;

  constructor(exitCode: number, message: string, options: { readonly cause?: unknown } = {}) {
    super(message, options);
    this.name = "CommandFailure";
    this.exitCode = exitCode;
  }
}

export const exits = {
  usage: 64,
  data: 65,
  noInput: 66,
  unavailable: 69,
  internal: 70,
  configuration: 78,
  interrupted: 130,
} as const;

export interface Failure {
  readonly exitCode: number;
  readonly code: string;
  readonly message: string;
}

export function failureOf(error: unknown): Failure {
  if (error instanceof CommandFailure) return { exitCode: error.exitCode, code: "command", message: error.message };
  if (error instanceof BatonClientError) return clientFailure(error);
  const code = codeOf(error);
  if (code !== undefined) return { exitCode: exitCodeOf(code), code, message: (error as Error).message };
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { exitCode: exits.internal, code: "internal", message };
}

function clientFailure(error: BatonClientError): Failure {
  if (error.code === "unreachable" || error.code === "unreadable") {
    const hint = error.code === "unreachable" ? ' Start one with "npm run dev", or correct BATON_URL.' : "";
    return { exitCode: exits.unavailable, code: error.code, message: `${error.message}${hint}` };
  }
  const fields = (error.problem?.errors ?? []).filter(({ detail }) => !error.message.includes(detail));
  const lines = fields.map(({ in: place, pointer, detail }) => `- ${place}${pointer}: ${detail}`);
  return {
    exitCode: exitCodeOf(error.code),
    code: error.code,
    message: [error.message, ...lines].join("\n"),
  };
}

/** The stable code of an error of another room (BatonError). */
function codeOf(error: unknown): string | undefined {
  const isNamed = error instanceof Error && error.name === "BatonError" && "code" in error;
  return isNamed && typeof error.code === "string" ? error.code : undefined;
}
