import type { ToolCall } from "@baton/core/ports";

/** Resolves when the effect is on the sink's file; the abort of the call does not take it back. */
export async function postEffect(call: ToolCall, label?: string): Promise<void> {
  const { taskId, stepId, attemptNo, idempotencyKey } = call;
  const record = { pid: process.pid, taskId, stepId, attemptNo, idempotencyKey, label };
  const answer = await fetch(String(process.env["CHAOS_SINK"]), { method: "POST", body: JSON.stringify(record) });
  if (!answer.ok) throw new Error(`The sink answered ${answer.status}.`);
}
