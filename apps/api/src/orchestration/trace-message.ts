/** One line of words per event of the catalogue. */
import { catalogue } from "@baton/core/events";
import type { BatonEvent, TraceRow } from "@baton/core/events";

type Words = {
  readonly [T in BatonEvent["type"]]: (data: Extract<BatonEvent, { type: T }>["data"], step: string) => string;
};

const plural = (count: number, one: string): string => `${count} ${one}${count === 1 ? "" : "s"}`;
const because = (reason: string | undefined): string => (reason === undefined ? "" : `: ${reason}`);
const by = (who: string | undefined): string => (who === undefined ? "" : ` by ${who}`);

const asks = ({ tool, text }: { readonly tool?: string | undefined; readonly text?: string | undefined }): string =>
  text ?? `may ${tool ?? "a tool"} be called?`;

const words: Words = {
  "task-created": ({ goal }) => `Task created: ${goal.slice(0, 200)}`,
  "steps-added": ({ steps, reason }) => `${plural(steps.length, "step")} ${reason}`,
  "step-started": ({ worker }, step) => `${step} started on ${worker}`,
  "step-completed": ({ sizeBytes }, step) => `${step} completed (${plural(sizeBytes, "byte")})`,
  "step-retry-scheduled": ({ error, delayMs }, step) => `${step} is tried again in ${delayMs} ms: ${error.message}`,
  "step-failed": ({ error }, step) => `${step} failed: ${error.message}`,
  "step-released": ({ reason, error, delayMs = 0 }, step) =>
    error === undefined
      ? `${step} was given back: ${reason}`
      : `${step} waits ${Math.ceil(delayMs / 1_000)} s: ${error.message}`,
  "step-crashed": (_data, step) => `The worker of ${step} died`,
  "step-expanded": ({ itemCount }, step) => `${step} became ${plural(itemCount, "item")}`,
  "step-deferred": ({ onStepIds }, step) => `${step} waits for ${plural(onStepIds.length, "step")}`,
  "step-asked": ({ questions, children = [] }, step) =>
    `${step} waits for ${plural(questions.length + children.length, "answer")}: ${[...questions.map(asks), ...children.map(({ agent }) => `agent ${agent}`)].join("; ")}`,
  "child-ended": ({ agent, state, childTaskId }) => `The agent ${agent} ${state} (task ${childTaskId})`,
  "step-woken": (_data, step) => `${step} goes on`,
  "question-voted": ({ by: who, votes, quorum }) => `${votes} of ${quorum} approvals${by(who)}`,
  "question-closed": ({ kind, state, by: who, reason, edited }) =>
    `The ${kind === "question" ? "question" : "call"} was ${state}${edited === true ? " with other arguments" : ""}${by(who)}${because(reason)}`,
  "step-skipped": (_data, step) => `${step} skipped`,
  "step-reopened": ({ by: who, reason }, step) => `${step} reopened${by(who)}${because(reason)}`,
  "step-resolved": ({ state, by: who, reason }, step) => `${step} resolved as ${state}${by(who)}${because(reason)}`,
  "task-paused": ({ by: who, reason }) => `Paused${by(who)}${because(reason)}`,
  "task-resumed": ({ by: who, reason }) => `Resumed${by(who)}${because(reason)}`,
  "task-cancelled": ({ by: who, reason }) => `Cancelled${by(who)}${because(reason)}`,
  "task-state-changed": ({ from, to }) => `${from} → ${to}`,
  "attempt-isolated": ({ crashCount }, step) => `${step} ran in a process of its own after ${crashCount} crashes`,
  "step-redispatched": (_data, step) => `${step} was queued again`,
  "orchestration-decided": ({ orchestrate, reasons }) =>
    `${orchestrate ? "Becomes a task" : "Answered at once"}: ${reasons.join("; ")}`,
  "plan-decomposed": ({ stepCount, offline }) =>
    `Planned ${plural(stepCount, "step")}${offline ? " (offline model)" : ""}`,
  "plan-rejected": ({ problems }) => `A plan was refused: ${problems.join("; ")}`,
  "progress-evaluated": ({ verdict, reason }) => `Evaluated: ${verdict} (${reason})`,
  "context-summarised": ({ tokensBefore, tokensAfter }) =>
    `Context summarised from ${tokensBefore} to ${tokensAfter} tokens`,
  "context-compacted": ({ turn, tokensBefore, tokensAfter }) =>
    `Turn ${turn} leaves out older results: ${tokensBefore} → ${tokensAfter} tokens`,
  "output-rejected": ({ problems }, step) => `${step}'s output was refused: ${problems.join("; ")}`,
  "model-called": ({ purpose, model, durationMs }) =>
    `${model.provider}/${model.model} for ${purpose} in ${Math.round(durationMs)} ms`,
  "model-fallback": ({ from, to, message }) =>
    `${to.provider}/${to.model} is asked instead of ${from.provider}/${from.model}: ${message}`,
  "model-call-lost": ({ model, attemptNo }) =>
    `A call of ${model.provider}/${model.model} was lost with the worker of attempt ${attemptNo}`,
  "agent-stopped": ({ reason, turns }, step) => `${step} stopped after ${plural(turns, "turn")}: ${reason}`,
  "tool-refused": ({ tool, message }) => `${tool} was not called: ${message}`,
  "tool-called": ({ tool, durationMs, replayed }) =>
    `${tool} in ${Math.round(durationMs)} ms${replayed ? " (replayed)" : ""}`,
  "effect-unknown": ({ tool, message }) => `It is not known whether the call of ${tool} took place: ${message}`,
  "effect-reconciled": ({ tool, outcome }) => `Asked after its call in doubt, ${tool} says: ${outcome}`,
  "effect-repeated": ({ tool, idempotencyKey }) => `${tool} is called again under the key ${idempotencyKey}`,
  "effect-late": ({ tool, state }) => `A result of ${tool} came late: ${state}`,
  "effect-resolved": ({ tool, outcome, by: who, reason }) =>
    `The call of ${tool} ${outcome === "succeeded" ? "took place" : "did not take place"}, said${by(who ?? "a person")}${because(reason)}`,
  "artifact-saved": ({ name, sizeBytes }) => `Artifact ${name} (${plural(sizeBytes, "byte")})`,
  "checkpoint-saved": ({ stepCount }) => `Checkpoint over ${plural(stepCount, "step")}`,
  "budget-exceeded": ({ scope, kind, cap, settled }) =>
    `The budget of the ${scope} does not allow a call: ${settled} of ${cap} ${kind}`,
  "budget-model-switched": ({ from, to }) =>
    `${from.provider}/${from.model} does not fit the budget any more: ${to.provider}/${to.model} goes on`,
  "budget-changed": ({ caps, by: who, reason }) =>
    `Budget changed to ${JSON.stringify(caps)}${by(who)}${because(reason)}`,
  "goal-amended": ({ message }) => `The goal was amended: ${message}`,
  "note": ({ message }) => message,
};

/** A row of a newer catalogue than ours is named by its type. */
export function traceMessage(row: Pick<TraceRow, "type" | "data">, stepKey: string | undefined): string {
  const event = catalogue.safeParse({ type: row.type, data: row.data });
  if (!event.success) return row.type;
  const say = words[event.data.type] as (data: unknown, step: string) => string;
  return say(event.data.data, stepKey ?? "A step");
}
