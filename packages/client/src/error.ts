/** Every failure a caller of the client sees. */
import type { Problem } from "@baton/contracts";
import { errorCodes } from "@baton/core";
import type { BatonError } from "@baton/core";

/**
 * `code` is the problem's stable code, or `unreachable` (no answer came) or `unreadable` (the answer
 * is not one of Baton's).
 */
export class BatonClientError extends Error {
  readonly code: Problem["code"] | "unreachable" | "unreadable";
  /** 0 when no answer came. */
  readonly status: number;
  readonly problem: Problem | undefined;

  constructor(
    code: BatonClientError["code"],
    message: string,
    options: { readonly status?: number; readonly problem?: Problem; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "BatonClientError";
    this.code = code;
    this.status = options.status ?? 0;
    this.problem = options.problem;
  }

  /** What was refused without the api, as the api would have said it. */
  static from({ code, message, problems, cause }: BatonError): BatonClientError {
    const { status, title } = errorCodes[code];
    const errors = problems.map((problem) => ({ in: "body" as const, ...problem }));
    const type = `urn:baton:error:${code}`;
    const problem: Problem = { type, title, status, detail: message, code, requestId: "", errors };
    return new BatonClientError(code, message, { status, problem, cause });
  }
}

function isProblem(value: unknown): value is Problem {
  return typeof value === "object" && value !== null && typeof (value as Problem).code === "string";
}

export async function errorOf(response: Response): Promise<BatonClientError> {
  const text = await response.text();
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (isProblem(value))
    return new BatonClientError(value.code, value.detail, { status: response.status, problem: value });
  const start = text.slice(0, 200);
  return new BatonClientError("unreadable", `The server answered ${response.status}: ${start}`, {
    status: response.status,
  });
}
