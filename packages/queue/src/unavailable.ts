/** The one error of a queue that does not answer. */
import { BatonError } from "@baton/core";

const setting = { redis: "REDIS_URL", postgres: "DATABASE_URL" } as const;

export function unavailable(kind: "redis" | "postgres", consequence: string, cause?: unknown): BatonError {
  const reason = cause instanceof Error && cause.message !== "" ? ` (${cause.message})` : "";
  return new BatonError(
    "queue-unavailable",
    `The queue's backend does not answer${reason}: ${consequence}. Check that the server at ${setting[kind]} is up.`,
    cause === undefined ? {} : { cause },
  );
}
