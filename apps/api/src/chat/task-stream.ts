/**
 * A task of a thread as it goes on: one part, replaced in place, and at the end its answer.
 *
 * 1. The rows are read at most twice in `pollMs`; what steps write is shown in between, as it comes.
 * 2. What a reader gets is bounded in bytes a second: a large plan is shown less often.
 * 3. Where only people can move it on, the stream ends: their words begin the next one.
 */
import type { QuestionRow } from "@baton/store";
import { isOver } from "../tasks/trace-stream.ts";
import { landAnswer } from "./answers.ts";
import { approvalOf, questionOutcome } from "./journal.ts";
import { escalationText, revisionText } from "./reply-text.ts";
import { StepTexts, taskShown } from "./task-part.ts";
import type { TaskShown } from "./task-part.ts";
import { deltaOf, endOf } from "./view.ts";
import type { View } from "./view.ts";
import type { ShownCall } from "./ui-parts.ts";

const shortestPauseMs = 40;
const bytesPerMs = 500;

export async function writeTask(view: View): Promise<void> {
  const { deps, ref, parts, stream, signal } = view;
  const { messageId = ref.taskId, continues = false } = stream;
  await parts.start(messageId, continues);
  if (!continues) await parts.text(messageId === ref.taskId ? escalationText : revisionText);
  await parts.endText();
  const shown = new ShownTask(view);
  while (!signal.aborted) {
    const task = await deps.store.getTask(ref);
    if (task === undefined) return parts.error("The task no longer exists.");
    await shown.show(await taskShown(deps.store, task));
    const waitsForPeople = await showApprovals(view);
    if (isOver(task)) {
      if (task.state === "completed") await parts.text(await landAnswer(deps.store, task));
      return endOf(parts, task);
    }
    if (waitsForPeople && task.state === "waiting") return parts.finish();
    await shown.untilMoved();
  }
}

/** True when one of its calls waits for a person's word. */
async function showApprovals({ deps, ref, parts, stream }: View): Promise<boolean> {
  const rows = await deps.store.listQuestions({ ...ref, kind: "approval", limit: 200 });
  for (const row of rows.toReversed()) {
    const call = callOf(row);
    // Of what was answered before, a reader that continues has the call and the word.
    if (call !== undefined) await parts.call(call, stream.continues === true && row.state !== "open");
  }
  return rows.some(({ state }) => state === "open");
}

function callOf(row: QuestionRow): ShownCall | undefined {
  const { questionId, subject, state } = row;
  if (!("tool" in subject)) return undefined;
  const outcome =
    state === "approved" ? ({ ended: "output", output: { approved: true } } as const) : questionOutcome(row);
  return {
    ...{ id: `approval-${questionId}`, tool: subject.tool, input: subject.arguments, approval: approvalOf(row) },
    ...(outcome !== undefined && { outcome }),
  };
}

class ShownTask {
  readonly #view: View;
  readonly #texts = new StepTexts();
  #latest: TaskShown | undefined;
  #told = "";
  #readAt = 0;
  #mayTellAt = 0;

  constructor(view: View) {
    this.#view = view;
  }

  async show(latest: TaskShown): Promise<void> {
    this.#latest = latest;
    this.#readAt = performance.now();
    await this.#tell();
  }

  async #tell(): Promise<void> {
    if (this.#latest === undefined) return;
    const { parts, ref } = this.#view;
    const data = this.#texts.into(this.#latest);
    const { updatedAt: _changes, ...shown } = data;
    const tells = JSON.stringify(shown);
    if (tells === this.#told) return;
    this.#told = tells;
    this.#mayTellAt = performance.now() + Math.max(shortestPauseMs, tells.length / bytesPerMs);
    await parts.data("task", ref.taskId, data);
  }

  /** Shows what steps write until the rows are to be read again. */
  async untilMoved(): Promise<void> {
    const { deps, watch } = this.#view;
    const soonest = this.#readAt + deps.pollMs / 2;
    let latest = this.#readAt + deps.pollMs;
    let isDirty = false;
    for (;;) {
      for (const message of watch.take()) {
        const delta = deltaOf(message);
        if (delta === undefined) continue;
        this.#texts.add(delta);
        isDirty = true;
      }
      const now = performance.now();
      if (isDirty && now >= this.#mayTellAt) {
        await this.#tell();
        isDirty = false;
      }
      if (now >= latest) return;
      const woken = await watch.next(Math.max(1, (isDirty ? Math.min(latest, this.#mayTellAt) : latest) - now));
      if (woken === "left") return;
      if (woken === "moved") latest = Math.min(latest, soonest);
    }
  }
}
