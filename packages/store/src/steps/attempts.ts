/**
 * claim and settle, batched.
 *
 * Purpose: the two verbs of the hot path as single calls; see claim.sql and settle.sql.
 *
 * 1. Outputs up to 64 KB travel inline, larger ones are written to the blob table first; an orphaned
 *    blob of a lost flush is pruned with its task.
 * 2. Wake-ups that a settle leaves are handed to `onWakeUps` after the commit.
 * 3. One flush of settlements takes half of the slots at most, so that the other half performs meanwhile: else all of
 *    them end up in step, and the worker and PostgreSQL wait for each other.
 */
import { BatonError } from "@baton/core";
import type { ClaimedStep, ClaimedTask, SettleAnswer, Settlement, WakeUp } from "@baton/core/ports";
import { type Batcher, createBatcher } from "../connection/batcher.ts";
import type { Connections, Lane } from "../connection/pools.ts";
import { effectResultToWire } from "../effects/effects.ts";
import {
  claimFromWire,
  type OutputPlace,
  rememberSettings,
  type SettingsOf,
  settlementToJson,
  type WireClaim,
} from "./wire.ts";

export const maxInlineBytes = 65_536;
export const maxOutputBytes = 33_554_432;
const maxBatchBytes = 4_194_304;
const maxSettlements = 200;
/** So few are not worth a flush less: setting the statement up costs as much as ten of them. */
const fewSettlements = 50;

export type WakeUpsByPool = ReadonlyMap<string, readonly WakeUp[]>;

interface AttemptParts extends AttemptsOptions {
  readonly settingsOf: SettingsOf;
  /** Where flushes go; what is rare uses the others. */
  readonly lane: Lane;
}

export interface AttemptsOptions {
  readonly connections: Connections;
  readonly newId: () => string;
  readonly sessionId: () => string | undefined;
  /** Of the session. */
  readonly slots: () => number;
  readonly onWakeUps: (wakeUps: WakeUpsByPool) => void;
  /** Wake-ups the queue may still take, as the pump last saw it. */
  readonly room: () => number;
  readonly patienceMs: number;
}

interface PreparedSettlement {
  readonly settlement: Settlement;
  readonly json: string;
  /** Results of its calls, one JSON object each. */
  readonly effects: readonly string[];
}

interface SettleReply {
  readonly answers: readonly { readonly s: string; readonly a: number; readonly status: SettleAnswer["status"] }[];
  readonly continued: readonly WireClaim[];
  readonly wakeUps: readonly WireWakeUp[];
}

export interface WireWakeUp {
  readonly pool: string;
  readonly n: string;
  readonly t: string;
  readonly s: string;
  readonly d: number;
}

export function wakeUpsByPool(wire: readonly WireWakeUp[]): WakeUpsByPool {
  const pools = new Map<string, WakeUp[]>();
  for (const { pool, n, t, s, d } of wire) {
    const list = pools.get(pool) ?? [];
    list.push({ tenantId: n, taskId: t, stepId: s, dispatchNo: d });
    pools.set(pool, list);
  }
  return pools;
}

export interface Attempts {
  claimStep(wakeUp: WakeUp): Promise<ClaimedStep | undefined>;
  settleAttempt(settlement: Settlement): Promise<SettleAnswer>;
  idle(): Promise<void>;
}

export function createAttempts(given: AttemptsOptions): Attempts {
  const common = { ...given, settingsOf: rememberSettings() };
  const claiming: AttemptParts = { ...common, lane: given.connections.lane() };
  const settling: AttemptParts = { ...common, lane: given.connections.lane() };
  const claims: Batcher<WakeUp, ClaimedStep | undefined> = createBatcher({
    maxItems: 200,
    maxBytes: maxBatchBytes,
    sizeOf: () => 120,
    newFlushId: given.newId,
    patienceMs: given.patienceMs,
    flush: (items, flushId) => flushClaims(claiming, items, flushId),
  });
  const settles: Batcher<PreparedSettlement, SettleAnswer> = createBatcher({
    get maxItems() {
      return Math.min(maxSettlements, Math.max(fewSettlements, Math.ceil(given.slots() / 2)));
    },
    maxBytes: maxBatchBytes,
    sizeOf: ({ json, effects }) => effects.reduce((sum, effect) => sum + effect.length, json.length),
    newFlushId: given.newId,
    patienceMs: given.patienceMs,
    flush: (items, flushId) => flushSettlements(settling, items, flushId),
  });
  return {
    claimStep: (wakeUp) => claims.add(wakeUp),
    settleAttempt: async (settlement) => {
      refuseToWaitForNothing(settlement);
      const place = settlement.outcome.outcome === "completed" ? await placeOutput(given, settlement) : undefined;
      const effects = (settlement.effects ?? []).map((result) => effectResultToWire(settlement.ref, result));
      return settles.add({ settlement, json: settlementToJson(settlement, place), effects });
    },
    idle: async () => {
      await claims.idle();
      await settles.idle();
    },
  };
}

/** A step that waits for what nobody added would wait for ever. */
function refuseToWaitForNothing({ outcome, ref }: Settlement): void {
  if (outcome.outcome === "expanded" && outcome.items.length === 0) {
    throw new BatonError(
      "invalid-request",
      `The outcome "expanded" of step ${ref.stepId} has no items; an empty map completes with an empty list.`,
    );
  }
  if (outcome.outcome === "asked" && outcome.questions.length + (outcome.children?.length ?? 0) === 0) {
    throw new BatonError(
      "invalid-request",
      `The outcome "asked" of step ${ref.stepId} has neither questions nor children; it needs at least one to wait for.`,
    );
  }
  if (outcome.outcome === "deferred" && outcome.adds.length === 0) {
    throw new BatonError(
      "invalid-request",
      `The outcome "deferred" of step ${ref.stepId} has no adds; it needs at least one step to wait for.`,
    );
  }
}

function requireSession(options: AttemptsOptions): string {
  const sessionId = options.sessionId();
  if (sessionId === undefined)
    throw new BatonError("internal", "Steps are claimed and settled by a session; open one first.");
  return sessionId;
}

async function flushClaims(
  options: AttemptParts,
  items: readonly WakeUp[],
  flushId: string,
): Promise<readonly (ClaimedStep | undefined)[]> {
  const refs = items.map((item) => ({ n: item.tenantId, t: item.taskId, s: item.stepId }));
  const rows = await options.lane.engine<{ claimed: readonly WireClaim[] }>(
    "select baton_v1.claim($1, $2, $3) as claimed",
    [JSON.stringify(refs), requireSession(options), flushId],
  );
  const byStep = new Map(
    (await completeInputs(options, rows[0]?.claimed ?? [])).map((claim) => [claim.ref.stepId, claim]),
  );
  return items.map((item) => {
    const claim = byStep.get(item.stepId);
    // The same wake-up twice in one flush is one attempt.
    byStep.delete(item.stepId);
    return claim;
  });
}

async function flushSettlements(
  options: AttemptParts,
  items: readonly PreparedSettlement[],
  flushId: string,
): Promise<readonly SettleAnswer[]> {
  // An attempt that is told twice in one flush is settled once: the first wins.
  const told = new Map<string, PreparedSettlement>();
  for (const item of items) if (!told.has(attemptOf(item))) told.set(attemptOf(item), item);
  const outcomes = [...told.values()];
  const effects = outcomes.flatMap((item) => item.effects);
  const withTasks = outcomes.some(({ settlement }) => settlement.mayContinue && settlement.task === undefined);
  const rows = await options.lane.engine<{ reply: SettleReply }>(
    "select baton_v1.settle($1, $2, $3, $4, $5, $6) as reply",
    [
      jsonArray(outcomes.map((item) => item.json)),
      effects.length > 0 ? jsonArray(effects) : null,
      requireSession(options),
      flushId,
      options.room(),
      withTasks,
    ],
  );
  const reply = rows[0]?.reply;
  if (reply === undefined) throw new BatonError("internal", "settle answered nothing.");
  if (reply.wakeUps.length > 0) options.onWakeUps(wakeUpsByPool(reply.wakeUps));
  const statusOf = new Map(reply.answers.map((answer) => [`${answer.s}/${answer.a}`, answer.status]));
  // One outcome of a task may know what another does not.
  const known = new Map<string, ClaimedTask>();
  for (const { settlement } of outcomes)
    if (settlement.task !== undefined) known.set(settlement.ref.taskId, settlement.task);
  const continued = await completeInputs(options, reply.continued, known);
  return items.map((item) => {
    const { settlement } = item;
    if (told.get(attemptOf(item)) !== item) return { status: "lease-lost" };
    const status = statusOf.get(attemptOf(item)) ?? "lease-lost";
    const index =
      status === "lease-lost" || !settlement.mayContinue
        ? -1
        : continued.findIndex((claim) => claim.ref.taskId === settlement.ref.taskId);
    if (index === -1) return { status };
    const [continuation] = continued.splice(index, 1);
    return continuation === undefined ? { status } : { status, continuation };
  });
}

const jsonArray = (items: readonly string[]): string => `[${items.join(",")}]`;

function attemptOf({ settlement }: PreparedSettlement): string {
  return `${settlement.ref.stepId}/${settlement.attemptNo}`;
}

/** Fetches the inputs that a claim left out because all of them together pass 4 MB. */
async function completeInputs(
  { connections, settingsOf }: AttemptParts,
  wires: readonly WireClaim[],
  knownTasks: ReadonlyMap<string, ClaimedTask> = new Map(),
): Promise<ClaimedStep[]> {
  return Promise.all(
    wires.map(async (wire) => {
      const inputs = await Promise.all(
        wire.inputs.map(async (input) => {
          if (input.inline || input.blobId !== null) return input;
          const rows = await connections.engine<{ output: unknown }>(
            "select output from baton.task_execution_step where tenant_id = $1 and task_id = $2 and step_id = $3",
            [wire.n, wire.t, input.stepId],
          );
          return { ...input, output: rows[0]?.output };
        }),
      );
      return claimFromWire({ ...wire, inputs }, settingsOf, knownTasks.get(wire.t));
    }),
  );
}

async function placeOutput(options: AttemptsOptions, settlement: Settlement): Promise<OutputPlace> {
  const { outcome, ref } = settlement;
  if (outcome.outcome !== "completed") throw new BatonError("internal", "Only a completed attempt has an output.");
  const bytes = Buffer.byteLength(outcome.outputJson);
  // Cut between the halves of a character, one flush would carry what jsonb refuses.
  const preview = outcome.outputJson.slice(0, 500).toWellFormed();
  if (bytes <= maxInlineBytes) return { outputJson: outcome.outputJson, blobId: undefined, bytes, preview };
  if (bytes > maxOutputBytes) {
    throw new BatonError(
      "payload-too-large",
      `The step's output has ${bytes} bytes; the limit is ${maxOutputBytes} (32 MB). Write an artifact instead.`,
    );
  }
  const blobId = options.newId();
  await options.connections.engine(
    `insert into baton.blob (tenant_id, task_id, blob_id, content)
     select $1, $2, $3, $4 from baton.task_execution where tenant_id = $1 and task_id = $2`,
    [ref.tenantId, ref.taskId, blobId, Buffer.from(outcome.outputJson)],
  );
  return { outputJson: undefined, blobId, bytes, preview };
}
