/** The tenant every single-tenant installation uses. */
export const defaultTenantId = "00000000-0000-7000-8000-000000000001";

/** Names a step from everywhere: keys are composite because row-level security filters by tenant first. */
export interface StepRef {
  readonly tenantId: string;
  readonly taskId: string;
  readonly stepId: string;
}

export interface TaskRef {
  readonly tenantId: string;
  readonly taskId: string;
}

const hex: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
const dashBefore: ReadonlySet<number> = new Set([4, 6, 8, 10]);

/**
 * UUID version 7 (RFC 9562 §5.7) from a clock and random bytes handed in.
 * @param nowMs Unix milliseconds
 * @param random at least 10 random bytes
 */
export function uuidv7(nowMs: number, random: Uint8Array): string {
  const bytes = new Uint8Array(16);
  let rest = Math.floor(nowMs);
  for (let i = 5; i >= 0; i--) {
    bytes[i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  bytes.set(random.subarray(0, 10), 6);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x70;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  let text = "";
  for (const [at, byte] of bytes.entries()) text += dashBefore.has(at) ? `-${hex[byte]}` : hex[byte];
  return text;
}
