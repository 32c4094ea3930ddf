/** The three kinds of caller that a payment service can have. */
import { RetryAfter, TerminalError } from "@baton/core";
import type { ToolCall } from "@baton/core/ports";
import { defineTool } from "@baton/tools";
import { z } from "zod";
import { misbehaviours } from "../../harness/payments.ts";

const input = z.strictObject({
  url: z.string(),
  first: z.enum(misbehaviours).default("none"),
  slow_ms: z.number().default(0),
});
const output = z.strictObject({ receipt: z.string() });
type Input = z.output<typeof input>;
type Output = z.output<typeof output>;

/** The call is not taken back when its attempt ends: a payment that is under way takes place. */
async function charge(mode: "keyed" | "unkeyed", { url, ...body }: Input, call: ToolCall): Promise<Output> {
  const response = await fetch(`${url}/${mode}/charges`, {
    method: "POST",
    headers: { "idempotency-key": call.idempotencyKey },
    body: JSON.stringify(body),
  });
  if (response.status === 409) throw new RetryAfter("the service is busy", { delayMs: 50 });
  if (response.status === 422) throw new TerminalError("the payment was declined", { code: "declined", sent: false });
  if (!response.ok) throw new Error(`the service answered ${response.status}`);
  return (await response.json()) as Output;
}

export const charging = defineTool({
  name: "pay.charge",
  description: "Charges at a service that honours the idempotency key",
  effect: "idempotent",
  input,
  output,
  execute: (given, call) => charge("keyed", given, call),
});

export const wiring = defineTool({
  name: "pay.wire",
  description: "Charges at a service that charges on every request and cannot be asked afterwards",
  effect: "irreversible",
  input,
  output,
  execute: (given, call) => charge("unkeyed", given, call),
});

export const booking = defineTool({
  name: "pay.book",
  description: "Charges at a service that charges on every request and can be asked afterwards",
  effect: "write",
  input,
  output,
  execute: (given, call) => charge("unkeyed", given, call),
  async reconcile({ url }, { idempotencyKey }) {
    const answer = await fetch(`${url}/charges/${idempotencyKey}`);
    const { receipts } = (await answer.json()) as { readonly receipts: readonly string[] };
    const [receipt] = receipts;
    return receipt === undefined ? { outcome: "not-done" } : { outcome: "done", output: { receipt } };
  },
});
