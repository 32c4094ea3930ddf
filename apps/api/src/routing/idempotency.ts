/**
 * The Idempotency-Key of requests that create.
 *
 * 1. A key is taken only after the request was found valid, so a refused body never uses one up.
 * 2. What was created is stored with the key in one transaction; the answer follows. A process that dies
 *    in between leaves a key whose task is known.
 * 3. A stream is kept as the name of its task and opened again.
 */
import { createHash } from "node:crypto";
import { isIdempotencyKey } from "@baton/contracts";
import { BatonError } from "@baton/core";
import type { ClientStore, IdempotencyRef, StoredAnswer } from "@baton/store";
import type { StreamOfTask } from "./call.ts";

const streamHeader = "x-baton-stream";

/** Bare, or a quoted string as in the IETF draft: both name the same key. */
export function readIdempotencyKey(headers: Headers): string | undefined {
  const header = headers.get("idempotency-key");
  if (header === null) return undefined;
  const quoted = /^"([^"\\]*)"$/.exec(header);
  const key = quoted?.[1] ?? header;
  if (isIdempotencyKey(key)) return key;
  const detail = "must be 1 to 255 visible ASCII characters without quotes";
  throw new BatonError("idempotency-key-malformed", `The header Idempotency-Key ${detail}.`, {
    problems: [{ pointer: "/idempotency-key", detail }],
    details: { in: "header" },
  });
}

export function requestHash(url: URL, body: Uint8Array): string {
  return createHash("sha256").update(`${url.pathname}${url.search}\n`).update(body).digest("hex");
}

export type Taken =
  | { readonly taken: "first"; readonly createdTaskId: string | undefined }
  | { readonly taken: "before"; readonly answer: Response | StreamOfTask };

/** Takes the key, or says what it answers already. */
export async function takeKey(store: ClientStore, ref: IdempotencyRef, hash: string): Promise<Taken> {
  const key = await store.startIdempotent(ref, hash);
  switch (key.start) {
    case "first":
      return { taken: "first", createdTaskId: undefined };
    case "created":
      return { taken: "first", createdTaskId: key.taskId };
    case "replay":
      return { taken: "before", answer: fromStored(key.answer) };
    case "in-flight":
      throw new BatonError(
        "idempotency-key-in-flight",
        "The first request with this Idempotency-Key is still running; ask again in a moment.",
      );
    case "reused":
      throw new BatonError(
        "idempotency-key-reused",
        "This Idempotency-Key was used with another request; take a new key for a new request.",
      );
  }
}

function fromStored(answer: StoredAnswer): Response | StreamOfTask {
  const streamOf = answer.headers[streamHeader];
  if (streamOf === "reply" || streamOf === "task") {
    const { taskId, ...more } = answer.body.startsWith("{")
      ? (JSON.parse(answer.body) as Omit<StreamOfTask, "stream">)
      : { taskId: answer.body };
    return { stream: streamOf, taskId, ...more };
  }
  return new Response(answer.body === "" ? null : answer.body, { status: answer.status, headers: answer.headers });
}

export function storedStream({ stream, ...rest }: StreamOfTask): StoredAnswer {
  return { status: 200, headers: { [streamHeader]: stream }, body: JSON.stringify(rest) };
}
