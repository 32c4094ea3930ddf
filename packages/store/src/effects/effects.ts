/**
 * The effect ledger's caller side, batched: intents and results of many calls in one round trip; see effects.sql.
 *
 * 1. An intent is stored before its call runs: `startEffect` resolves after the commit.
 * 2. Results that end with their attempt travel with its settle; only what comes late or in the middle comes here.
 */
import { createHash } from "node:crypto";
import type { StepRef } from "@baton/core";
import type { EffectIntent, EffectResult, EffectStart, JournaledCall } from "@baton/core/ports";
import { createBatcher } from "../connection/batcher.ts";
import type { Connections } from "../connection/pools.ts";

export interface EffectsOptions {
  readonly connections: Connections;
  readonly newId: () => string;
  readonly patienceMs: number;
}

export interface Effects {
  startEffect(intent: EffectIntent): Promise<EffectStart>;
  finishEffect(ref: StepRef, result: EffectResult): Promise<{ readonly late: boolean }>;
  journal(ref: StepRef): Promise<readonly JournaledCall[]>;
}

type WireStart = { readonly s: string; readonly call: number; readonly a: number } & (
  | { readonly start: "call"; readonly earlierUnknown: boolean }
  | { readonly start: "replay"; readonly result: unknown }
  | { readonly start: "mismatch" | "unknown" | "lease-lost" }
);

interface Sized<Item> {
  readonly item: Item;
  readonly json: string;
}

const limits = { maxItems: 200, maxBytes: 4_194_304 };

export function createEffects({ connections, newId, patienceMs }: EffectsOptions): Effects {
  const [starting, finishing] = [connections.lane(), connections.lane()];
  const common = { ...limits, newFlushId: newId, patienceMs };
  const starts = createBatcher<Sized<EffectIntent>, EffectStart>({
    ...common,
    sizeOf: ({ json }) => json.length,
    async flush(intents) {
      const rows = await starting.engine<{ answers: readonly WireStart[] }>(
        "select baton_v1.start_effects($1) as answers",
        [`[${intents.map(({ json }) => json).join(",")}]`],
      );
      // What is not answered was started for the first time.
      const answers = new Map((rows[0]?.answers ?? []).map((wire) => [`${wire.s}/${wire.call}/${wire.a}`, wire]));
      return intents.map(({ item: { ref, callNo, attemptNo } }) =>
        startFromWire(`${ref.stepId}-${callNo}`, answers.get(`${ref.stepId}/${callNo}/${attemptNo}`)),
      );
    },
  });
  const finishes = createBatcher<Sized<{ ref: StepRef; result: EffectResult }>, { readonly late: boolean }>({
    ...common,
    sizeOf: ({ json }) => json.length,
    async flush(results) {
      const rows = await finishing.engine<{
        finished: readonly { readonly s: string; readonly call: number; readonly a: number; readonly late: boolean }[];
      }>("select baton_v1.finish_effects($1) as finished", [`[${results.map(({ json }) => json).join(",")}]`]);
      const late = new Map((rows[0]?.finished ?? []).map((wire) => [`${wire.s}/${wire.call}/${wire.a}`, wire.late]));
      // A result that is not the first came too late in any case.
      return results.map(({ item: { ref, result } }) => ({
        late: late.get(`${ref.stepId}/${result.callNo}/${result.attemptNo}`) ?? true,
      }));
    },
  });
  return {
    startEffect: (intent) => starts.add({ item: intent, json: intentToWire(intent) }),
    finishEffect: (ref, result) => finishes.add({ item: { ref, result }, json: effectResultToWire(ref, result) }),
    journal: (ref) => readJournal(connections, ref),
  };
}

/** Index: effect primary key. Rows: the step's calls. */
async function readJournal({ engine }: Connections, ref: StepRef): Promise<readonly JournaledCall[]> {
  const rows = await engine<Omit<JournaledCall, "resultJson"> & { readonly resultJson: string | null }>(
    `select call_no as "callNo", attempt_no as "attemptNo", tool, state, result::text as "resultJson",
       (extract(epoch from created_at) * 1000)::float8 as "createdAt" from baton.effect
     where tenant_id = $1 and task_id = $2 and step_id = $3 order by call_no`,
    [ref.tenantId, ref.taskId, ref.stepId],
  );
  return rows.map(({ resultJson, ...call }) => (resultJson === null ? call : { ...call, resultJson }));
}

function startFromWire(idempotencyKey: string, wire: WireStart | undefined): EffectStart {
  if (wire === undefined) return { start: "call", idempotencyKey, earlierUnknown: false };
  if (wire.start === "call") return { start: "call", idempotencyKey, earlierUnknown: wire.earlierUnknown };
  if (wire.start === "replay") return { start: "replay", resultJson: JSON.stringify(wire.result) };
  return { start: wire.start };
}

function intentToWire(intent: EffectIntent): string {
  const { ref, attemptNo, callNo, tool, effect, argumentsJson, knownNotDone: known } = intent;
  const hash = createHash("sha256").update(argumentsJson).digest("hex");
  const wire = { n: ref.tenantId, t: ref.taskId, s: ref.stepId, a: attemptNo, call: callNo, tool, effect, hash, known };
  return withJson(wire, "arguments", argumentsJson);
}

/** A result as `baton_v1.write_effect_results` reads it. */
export function effectResultToWire(
  ref: StepRef,
  { callNo, attemptNo, state, resultJson, account }: EffectResult,
): string {
  const wire = { n: ref.tenantId, t: ref.taskId, s: ref.stepId, call: callNo, a: attemptNo, state, ...account };
  return withJson(wire, "result", resultJson);
}

/** The object with one more field, whose value is JSON already. */
function withJson(wire: Readonly<Record<string, unknown>>, field: string, json: string): string {
  return `${JSON.stringify(wire).slice(0, -1)},"${field}":${json}}`;
}
