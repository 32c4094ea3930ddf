/** The effect ledger's rows; see effects.sql. */
import { createHash } from "node:crypto";
import type { StepRef } from "@baton/core";
import type { EffectIntent, EffectStart } from "@baton/core/ports";
import { sql } from "drizzle-orm";
import { type Database, rowsOf } from "../connection/pools.ts";

type WireStart =
  | { readonly start: "call"; readonly key: string; readonly earlierUnknown: boolean }
  | { readonly start: "replay"; readonly result: unknown }
  | { readonly start: "mismatch" | "unknown" | "lease-lost" };

const keyOf = (ref: StepRef) =>
  sql`row(${ref.tenantId}::uuid, ${ref.taskId}::uuid, ${ref.stepId}::uuid)::baton_v1.step_key`;

export async function startEffect(db: Database, intent: EffectIntent): Promise<EffectStart> {
  const hash = createHash("sha256").update(intent.argumentsJson).digest("hex");
  const rows = await rowsOf<{ start: WireStart }>(
    db,
    sql`select baton_v1.start_effect(${keyOf(intent.ref)}, ${intent.attemptNo}::int, ${intent.callNo}::int, ${intent.tool}, ${intent.effect},
          ${intent.argumentsJson}::jsonb, ${hash}) as start`,
  );
  const start = rows[0]?.start ?? { start: "lease-lost" };
  if (start.start === "call") return { start: "call", idempotencyKey: start.key, earlierUnknown: start.earlierUnknown };
  if (start.start === "replay") return { start: "replay", resultJson: JSON.stringify(start.result) };
  return { start: start.start };
}

export async function finishEffect(
  db: Database,
  ref: StepRef,
  callNo: number,
  result: { readonly state: "succeeded" | "refused" | "unknown"; readonly resultJson: string },
): Promise<{ readonly late: boolean }> {
  const rows = await rowsOf<{ finished: { late: boolean } }>(
    db,
    sql`select baton_v1.finish_effect(${keyOf(ref)}, ${callNo}::int, ${result.state}, ${result.resultJson}::jsonb) as finished`,
  );
  return rows[0]?.finished ?? { late: true };
}
