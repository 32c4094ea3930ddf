/**
 * Signed opaque cursors.
 *
 * 1. A cursor only works on the route, tenant and filters it was made for.
 * 2. Changing one bit makes it invalid; reading it tells nothing that the page did not.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { BatonError } from "@baton/core";

export interface Cursors {
  seal(scope: readonly unknown[], position: unknown): string;
  /** @throws BatonError invalid-cursor */
  open(scope: readonly unknown[], cursor: string): unknown;
}

const tagBytes = 16;

export function createCursors(secret: Uint8Array): Cursors {
  const tagOf = (scope: readonly unknown[], payload: Uint8Array): Uint8Array =>
    createHmac("sha256", secret)
      .update(JSON.stringify(scope))
      .update("\n")
      .update(payload)
      .digest()
      .subarray(0, tagBytes);
  return {
    seal(scope, position) {
      const payload = Buffer.from(JSON.stringify(position));
      return Buffer.concat([tagOf(scope, payload), payload]).toString("base64url");
    },
    open(scope, cursor) {
      const bytes = Buffer.from(cursor, "base64url");
      const payload = bytes.subarray(tagBytes);
      const isOurs = bytes.length > tagBytes && timingSafeEqual(bytes.subarray(0, tagBytes), tagOf(scope, payload));
      if (!isOurs) {
        const detail = "is not a cursor of this list with these filters; take `nextCursor` as it is, or leave it out";
        throw new BatonError("invalid-cursor", `The query parameter "cursor" ${detail}.`, {
          problems: [{ pointer: "/cursor", detail }],
          details: { in: "query" },
        });
      }
      return JSON.parse(payload.toString()) as unknown;
    },
  };
}
