/**
 * A task in a transaction of the caller's own.
 *
 * Purpose: `createTask(body, { tx })` commits or rolls back with the caller's own rows. Boundary: no driver is known;
 * one SQL function of the store is called, and its name and its argument are the contract (docs/decisions/0012).
 *
 * 1. What can be found wrong without the database is found before the first statement.
 * 2. A failure leaves the transaction usable and without a trace of the task: a savepoint is rolled back to.
 * 3. A connection without an open transaction is refused: the task would be committed alone.
 */
import { bodyLimits, isIdempotencyKey, requireStorable, routes, validate } from "@baton/contracts";
import type { RouteInput, RouteOutput } from "@baton/contracts";
import { BatonError, uuidv7 } from "@baton/core";
import type { ErrorCode } from "@baton/core";
import { jsonDepth } from "@baton/core/json";
import { stepToWire } from "@baton/core/plan";
import { layOutTask, taskSettings } from "@baton/core/task";
import { BatonClientError } from "./error.ts";

/** A connection on which the caller has begun a transaction, as node-postgres and what imitates it answer. */
export interface Transaction {
  query(text: string, values?: unknown[]): PromiseLike<{ readonly rows: readonly unknown[] }>;
}

export interface TransactionOptions {
  readonly tx: Transaction;
  /** The same key and body again, in any later transaction, answers with the first task. */
  readonly idempotencyKey?: string | undefined;
}

type CreateTaskBody = RouteInput<"createTask", "body">;
type CreatedTask = RouteOutput<"createTask">;
type Answer = CreatedTask | { readonly refused: ErrorCode; readonly scopes?: readonly string[] };

const newId = (): string => uuidv7(Date.now(), crypto.getRandomValues(new Uint8Array(10)));

async function sha256(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @throws BatonClientError, or what the driver throws (a serialization failure, a lost connection) */
export async function createTaskIn(
  apiKey: string | undefined,
  body: CreateTaskBody,
  { tx, idempotencyKey }: TransactionOptions,
): Promise<CreatedTask> {
  let request: Readonly<Record<string, unknown>>;
  try {
    request = await requestOf(body, idempotencyKey);
    if (apiKey === undefined) throw refusal({ refused: "unauthenticated" });
  } catch (error) {
    throw error instanceof BatonError ? BatonClientError.from(error) : error;
  }
  const answer = await within(tx, async () => {
    // As text: some drivers would encode what they take for JSON once more.
    const { rows } = await tx.query("select baton_client.create_task_v1($1::text, $2::text::jsonb) as answer", [
      await sha256(apiKey),
      JSON.stringify(request),
    ]);
    return (rows[0] as { readonly answer: Answer }).answer;
  });
  if ("refused" in answer) throw BatonClientError.from(refusal(answer));
  return answer;
}

async function requestOf(body: unknown, idempotencyKey: string | undefined): Promise<Record<string, unknown>> {
  requireStorable(body);
  const text = JSON.stringify(body);
  if (jsonDepth(body) > bodyLimits.depth) {
    throw new BatonError("nesting-too-deep", `The body is nested deeper than ${bodyLimits.depth}; flatten it.`);
  }
  if (new TextEncoder().encode(text).byteLength > bodyLimits.bytes) {
    throw new BatonError("payload-too-large", `The body is larger than ${bodyLimits.bytes} bytes; send less.`);
  }
  if (idempotencyKey !== undefined && !isIdempotencyKey(idempotencyKey)) {
    throw new BatonError(
      "idempotency-key-malformed",
      "The idempotencyKey must be 1 to 255 visible ASCII characters without quotes.",
    );
  }
  const asked = validate(routes.createTask.body, JSON.parse(text), "body");
  const own = asked.settings ?? {};
  const { steps, settings: _resolved, ...task } = layOutTask(asked, { settings: taskSettings.parse(own), newId });
  return {
    ...task,
    taskId: newId(),
    settings: own,
    // What the client names wins over what the api processes add, and that over these.
    defaults: taskSettings.parse({}),
    steps: steps.map(stepToWire),
    ...(idempotencyKey === undefined ? {} : { idempotencyKey, bodyHash: await sha256(text) }),
  };
}

const savepoint = "baton_create_task";

async function within<Result>(tx: Transaction, run: () => Promise<Result>): Promise<Result> {
  try {
    await tx.query(`savepoint ${savepoint}`);
  } catch (error) {
    throw explained(error);
  }
  try {
    const result = await run();
    await tx.query(`release savepoint ${savepoint}`);
    return result;
  } catch (error) {
    try {
      await tx.query(`rollback to savepoint ${savepoint}`);
      await tx.query(`release savepoint ${savepoint}`);
    } catch {
      // The connection is gone, and its transaction with it: the first error says why.
    }
    throw explained(error);
  }
}

/** SQLSTATE of what is wrong with `tx` itself. */
const explanations: Readonly<Record<string, readonly [code: ErrorCode, message: string]>> = {
  "25P01": [
    "invalid-request",
    "`tx` has no open transaction, so the task would be committed alone: pass the client on which BEGIN was run, not a pool.",
  ],
  "3F000": [
    "invalid-configuration",
    "The database of `tx` has no schema baton_client: migrate it, or use Baton's own.",
  ],
  "42883": [
    "invalid-configuration",
    "The Baton in the database of `tx` does not know this client's version: migrate it.",
  ],
  "42501": [
    "forbidden",
    "The role of `tx` may not create tasks; its owner says: grant usage on schema baton_client to <role>.",
  ],
};

/** Any other error of the driver stays what it is: the caller's own retries look at it. */
function explained(error: unknown): unknown {
  const [code, message] = explanations[String((error as { readonly code?: unknown } | null)?.code)] ?? [];
  if (code === undefined || message === undefined) return error;
  return BatonClientError.from(new BatonError(code, message, { cause: error }));
}

function refusal({ refused, scopes = [] }: Extract<Answer, { refused: ErrorCode }>): BatonError {
  switch (refused) {
    case "unauthenticated":
      return new BatonError(refused, "The client has no API key, or one that is not known or was revoked.");
    case "forbidden":
      return new BatonError(refused, `This needs a key with the scope "write"; this key has: ${scopes.join(", ")}.`);
    case "idempotency-key-reused":
      return new BatonError(refused, "This idempotencyKey was used with another body; take a new key for a new task.");
    default:
      return new BatonError(refused, "The database refuses the task as this client laid it out; update the client.");
  }
}
