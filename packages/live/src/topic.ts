/** What a topic may be called. */
import { BatonError } from "@baton/core";

/** Printable ASCII without space: safe as a Redis key, in one line of a notification, and counted in bytes. */
const topicPattern = /^[\x21-\x7e]{1,200}$/;

/** Throws `invalid-request`. */
export function checkTopic(topic: string): void {
  if (topicPattern.test(topic)) return;
  throw new BatonError(
    "invalid-request",
    `topic ${JSON.stringify(topic)} is not a topic: use 1 to 200 printable ASCII characters without spaces.`,
  );
}
