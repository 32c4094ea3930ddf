/**
 * A reply as it comes: each turn's text token by token, its calls, and what they came to.
 *
 * 1. The live channel shows the text of the turn under way; what a turn was is what the ledger says.
 * 2. A later attempt takes the place of an earlier one within its turn; turns that the ledger has are never taken back.
 * 3. Where only people can move it on, the stream ends: their words begin the next one.
 */
import type { StepRow, TaskRow } from "@baton/store";
import { isOver } from "../tasks/trace-stream.ts";
import { readTurns } from "./journal.ts";
import { replyText } from "./reply-text.ts";
import { deltaOf, endOf } from "./view.ts";
import type { Delta, View } from "./view.ts";

/** Where a reader is. */
interface Place {
  readonly step: StepRow | undefined;
  /** From 1: of the step that is shown. */
  turn: number;
  attemptNo: number;
  /** The ledger has said what this turn's text is. */
  isSettled: boolean;
  /** Turns up to this one are known to the reader, with their calls. */
  readonly knownTurns: number;
}

export async function writeReply(view: View): Promise<void> {
  const { deps, ref, parts, stream } = view;
  // The reply lands in its thread under the id of its step.
  const [step] = await deps.store.listTaskSteps(ref, { kinds: ["reply"], limit: 1 });
  const answered = stream.continues === true ? await lastAnswered(view, step) : undefined;
  await parts.start(stream.messageId ?? step?.stepId ?? ref.taskId, answered !== undefined);
  const turn = (answered ?? 0) + 1;
  const knownTurns = answered === undefined ? 0 : turn;
  await follow(view, { step, turn, attemptNo: 0, isSettled: answered !== undefined, knownTurns });
}

async function lastAnswered({ deps, ref }: View, step: StepRow | undefined): Promise<number | undefined> {
  const task = await deps.store.getTask(ref);
  if (task === undefined || step?.type !== "agent") return undefined;
  return (await readTurns(deps.store, task, step.stepId)).lastAnswered;
}

async function follow(view: View, place: Place): Promise<void> {
  const { deps, ref, parts, watch, signal } = view;
  while (!signal.aborted) {
    await showDeltas(view, place);
    const task = await deps.store.getTask(ref);
    if (task === undefined) return parts.error("The task no longer exists.");
    const waitsForPeople = await showTurns(view, place, task);
    if (isOver(task)) {
      if (task.state === "completed" && !place.isSettled) await parts.settle(await replyText(deps.store, task));
      return endOf(parts, task);
    }
    if (waitsForPeople && task.state === "waiting") return parts.finish();
    while ((await watch.next(deps.pollMs)) === "live") {
      if (await showDeltas(view, place)) break;
    }
  }
}

/** True when the ledger has news. */
async function showDeltas(view: View, place: Place): Promise<boolean> {
  let isTold = false;
  for (const message of view.watch.take()) {
    const delta = deltaOf(message);
    if (delta === undefined) isTold = true;
    else if (delta.turn > place.turn) isTold = (await catchUp(view, place)) || isTold;
    if (delta !== undefined) await showDelta(view, place, delta);
  }
  return isTold;
}

/** The turn before was over when this one began. */
async function catchUp(view: View, place: Place): Promise<boolean> {
  const task = await view.deps.store.getTask(view.ref);
  if (task !== undefined) await showTurns(view, place, task);
  return task === undefined;
}

async function showDelta({ parts }: View, place: Place, { turn, attemptNo, text }: Delta): Promise<void> {
  if (turn !== place.turn || place.isSettled || attemptNo < place.attemptNo) return;
  if (attemptNo > place.attemptNo) {
    place.attemptNo = attemptNo;
    await parts.reset();
  }
  await parts.text(text);
}

/** Shows what the ledger has beyond the place; true when a call waits for a person's word. */
async function showTurns({ deps, parts }: View, place: Place, task: TaskRow): Promise<boolean> {
  if (place.step?.type !== "agent") return false;
  const { turns } = await readTurns(deps.store, task, place.step.stepId);
  for (;;) {
    const turn = turns[place.turn - 1];
    if (turn === undefined) return false;
    if (!place.isSettled) await parts.settle(turn.text);
    place.isSettled = true;
    const isKnown = place.turn <= place.knownTurns;
    for (const call of turn.calls) await parts.call(call, isKnown);
    if (turn.calls.length === 0) return false;
    if (!turn.calls.every(({ outcome }) => outcome !== undefined))
      return turn.calls.some(({ approval }) => approval !== undefined && approval.approved === undefined);
    await parts.step();
    place.turn += 1;
    place.isSettled = false;
  }
}
