/**
 * A model call within its budgets: its upper bound is reserved before it is sent, and what it cost is settled after it.
 *
 * Purpose: no budget is overspent, however many calls of however many workers share it. Boundary: what fits is decided
 * by the store; here is what a call waits for, what it is told, and what its end costs.
 *
 * 1. Nothing is sent without a reservation, except by the offline model in a task without a budget.
 * 2. A call that only waits for others to settle waits; one that cannot fit any more breaks the budget.
 * 3. A call that was sent and whose cost nobody knows is charged at its upper bound.
 * 4. An answer gets no more tokens than were reserved for it, where tokens or dollars are capped.
 */
import { BatonError } from "@baton/core";
import { capsOf, outputRange } from "@baton/core/budget";
import type { BatonEvent } from "@baton/core/events";
import type { ModelRef } from "@baton/core/plan";
import type {
  BudgetAnswer,
  BudgetPort,
  BudgetSettlement,
  CallBound,
  ClaimedStep,
  LogPort,
  ModelPort,
  ModelReply,
  ModelRequest,
  ModelUsage,
} from "@baton/core/ports";
import { rootOf } from "@baton/core/ports";
import { untilAnswered } from "../pipeline/patience.ts";
import { cutByBudget, exceeded, type Refusal } from "./breach.ts";
import { costOf, costOfFailure } from "./cost.ts";
import type { BudgetWaits } from "./waits.ts";

/** The attempt that makes the call. */
export interface BudgetedCaller {
  readonly store: BudgetPort;
  readonly models: Pick<ModelPort, "bound" | "generate" | "resolve">;
  readonly log: LogPort;
  /** Of the whole process. */
  readonly waits: BudgetWaits;
  readonly step: ClaimedStep;
  trace(event: BatonEvent): void;
  progress(message: string): void;
  /** A switch of models is told once. */
  isSwitchTold: boolean;
  /** Resolves when the task's own limiter lets a call go: last before it is sent, or what came between would add up. */
  pace(signal: AbortSignal): Promise<void>;
}

export interface BudgetedReply {
  readonly reply: ModelReply;
  readonly overrunTokens: number;
  /** Set when the answer ended where the budget did: it is of no use, and was paid for. */
  readonly cut: BatonError | undefined;
}

interface Held {
  readonly reservationId: string;
  readonly request: ModelRequest;
  readonly outputTokens: number;
  readonly wall: { readonly capMs: number; readonly leftMs: number } | undefined;
  /** The budget had less left than the answer might take. */
  readonly isShortened: boolean;
}

const firstPauseMs = 50;
const longestPauseMs = 2_000;
const longestTimerMs = 2_147_483_647;

/** Throws `budget-exceeded` or `token-limit`, what the call threw, or the abort reason. */
export async function callWithinBudget(
  caller: BudgetedCaller,
  asked: ModelRequest,
  onFailed: (error: unknown, model: ModelRef) => void,
): Promise<BudgetedReply> {
  const held = await reserved(caller, asked);
  if (held === undefined) {
    await caller.pace(asked.signal);
    const reply = await caller.models.generate(asked).catch((error: unknown) => {
      onFailed(error, asked.model);
      throw error;
    });
    return { reply, overrunTokens: 0, cut: undefined };
  }
  let wasSent = false;
  const wall = wallClock(asked.signal, held.wall?.leftMs);
  const onSend = (): void => {
    wasSent = true;
  };
  let reply: ModelReply;
  try {
    await caller.pace(wall.signal);
    reply = await caller.models.generate({ ...held.request, signal: wall.signal, onSend });
  } catch (error) {
    onFailed(error, held.request.model);
    await settle(caller, asked, held, costOfFailure(error, wasSent));
    throw wall.isOver() && !asked.signal.aborted ? wallBreach(caller, held) : (cutOf(caller, held, error) ?? error);
  } finally {
    wall.clear();
  }
  const overrunTokens = await settle(caller, asked, held, costOf(reply));
  const isCut = held.isShortened && reply.finishReason === "length";
  const cut = isCut ? cutByBudget(caller.step, reply.usage.outputTokens, asksPerson(caller)) : undefined;
  return { reply, overrunTokens, cut };
}

const asksPerson = ({ step }: BudgetedCaller): boolean => step.task.settings.budget?.onBreach === "ask";

async function reserved(caller: BudgetedCaller, asked: ModelRequest): Promise<Held | undefined> {
  const { models, step } = caller;
  const bound = await models.bound(asked, false);
  if (bound.offline && capsOf(step.task.settings) === undefined) return undefined;
  const fitted = await fit(caller, asked, bound);
  if ("reservationId" in fitted) return fitted;
  const { onBreach } = step.task.settings.budget ?? { onBreach: "stop" };
  if (typeof onBreach === "object") {
    const from = bound.model;
    const to = models.resolve(onBreach.model);
    const other = { ...asked, model: to };
    const again =
      from.provider === to.provider && from.model === to.model
        ? fitted
        : await fit(caller, other, await models.bound(other, false));
    if ("reservationId" in again) {
      const { scope, kind, cap, settled, reserved: held } = fitted;
      if (!caller.isSwitchTold)
        caller.trace({ type: "budget-model-switched", data: { scope, kind, cap, settled, reserved: held, from, to } });
      caller.isSwitchTold = true;
      return again;
    }
  }
  throw breach(caller, fitted);
}

/** The trace and the error of a call that is not made. */
export function breach(caller: Pick<BudgetedCaller, "step" | "trace">, refusal: Refusal): BatonError {
  const { scope, kind, cap, settled, reserved: held, needed } = refusal;
  caller.trace({ type: "budget-exceeded", data: { scope, kind, cap, settled, reserved: held, needed } });
  return exceeded(caller.step, refusal);
}

/** What is refused only for calls under way is asked for again, until they have settled. */
async function fit(caller: BudgetedCaller, asked: ModelRequest, first: CallBound): Promise<Held | Refusal> {
  const { models, step, waits } = caller;
  const { signal } = asked;
  let bound = first;
  let waited = 0;
  for (;;) {
    const range = outputRange(bound, asked.maxOutputTokens);
    const answer = await reserve(caller, signal, bound, range);
    if (!("refusal" in answer)) {
      // There may be room for one more.
      if (waited > 0) waits.wake(rootOf(step), step.ref.tenantId);
      const { reservationId, outputTokens, capped, wall } = answer;
      const request = { ...asked, model: bound.model, ...(capped && { maxOutputTokens: outputTokens }) };
      return { reservationId, request, outputTokens, wall, isShortened: outputTokens < range.most };
    }
    const { refusal } = answer;
    if (refusal.later) {
      if (waited === 0) caller.progress("waits until calls under way have settled their budget");
      const key = refusal.scope === "task" ? rootOf(step) : step.ref.tenantId;
      await waits.wait(key, Math.min(longestPauseMs, firstPauseMs * 2 ** waited), signal);
      signal.throwIfAborted();
      waited += 1;
      continue;
    }
    if (bound.exact || (refusal.kind !== "tokens" && refusal.kind !== "usd")) return refusal;
    const counted = await models.bound(asked, true);
    if (!counted.exact || counted.inputTokens >= bound.inputTokens) return refusal;
    bound = counted;
  }
}

async function reserve(
  { store, step, log }: BudgetedCaller,
  signal: AbortSignal,
  { model, offline, inputTokens, price }: CallBound,
  { least, most }: ReturnType<typeof outputRange>,
): Promise<BudgetAnswer> {
  const call = { ...callerOf(step), kind: "model" as const, model, offline, inputTokens, least, most, price };
  const answer = await untilAnswered(() => store.reserveCall(call), signal, log, "reserve");
  if (answer === undefined) throw signal.reason;
  return answer;
}

export function callerOf(step: ClaimedStep) {
  const { ref, attemptNo, task } = step;
  return { ref, rootTaskId: rootOf(step), attemptNo, caps: capsOf(task.settings), createdAt: task.createdAt };
}

/** Tokens above what was reserved. A settlement that nobody takes is left to time, which charges the upper bound. */
async function settle(
  { store, step, log, waits }: BudgetedCaller,
  { signal }: ModelRequest,
  { reservationId }: Held,
  outcome: BudgetSettlement["outcome"],
): Promise<number> {
  const settlement = { tenantId: step.ref.tenantId, reservationId, outcome };
  const answer = await untilAnswered(() => store.settleCall(settlement), signal, log, "settle-call");
  waits.wake(rootOf(step), step.ref.tenantId);
  return answer?.overrunTokens ?? 0;
}

/** An adapter's own error for an answer that ended where the budget did. */
function cutOf(caller: BudgetedCaller, { isShortened, outputTokens }: Held, error: unknown): BatonError | undefined {
  if (!isShortened || !(error instanceof BatonError) || error.code !== "output-cut") return undefined;
  const { usage } = error.details as { readonly usage?: ModelUsage };
  if (usage === undefined || usage.outputTokens < outputTokens) return undefined;
  return cutByBudget(caller.step, usage.outputTokens, asksPerson(caller), error);
}

/** Ends a call with the task's wall clock. */
function wallClock(signal: AbortSignal, leftMs: number | undefined) {
  if (leftMs === undefined || leftMs > longestTimerMs) return { signal, isOver: () => false, clear: () => undefined };
  const over = new AbortController();
  const timer = setTimeout(
    () => over.abort(new BatonError("budget-exceeded", "The task's wall clock has run out.")),
    leftMs,
  );
  return {
    signal: AbortSignal.any([signal, over.signal]),
    isOver: () => over.signal.aborted,
    clear: () => clearTimeout(timer),
  };
}

function wallBreach(caller: BudgetedCaller, { wall }: Held): BatonError {
  const cap = wall?.capMs ?? 0;
  return breach(caller, { scope: "task", kind: "wallMs", cap, settled: cap, reserved: 0, needed: 0, later: false });
}
