/**
 * A thread's UUID. AI SDK clients make up thread ids that are no UUIDs; each gets one of its own.
 * UUID version 8 (RFC 9562 §5.8) from SHA-256 over tenant and id.
 */
import { createHash } from "node:crypto";

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

export function threadUuid(tenantId: string, threadId: string): string {
  if (uuid.test(threadId)) return threadId.toLowerCase();
  const hash = createHash("sha256").update(`${tenantId}\n${threadId}`).digest();
  hash[6] = ((hash[6] ?? 0) & 0x0f) | 0x80;
  hash[8] = ((hash[8] ?? 0) & 0x3f) | 0x80;
  const hex = hash.toString("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`;
}
