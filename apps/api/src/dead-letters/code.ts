/**
 * The code of the dead letter routes.
 *
 * 1. The conditions on a step's edges are judged here, as a worker would, for the attempt that was read; the store
 *    refuses the resolution when that attempt is no longer the one that failed.
 */
import { BatonError } from "@baton/core";
import { resolutionsOf } from "@baton/core/lifecycle";
import type { StepOutput } from "@baton/core/ports";
import { judgeEdges, shownConfig } from "@baton/executor";
import type { DeadLetterPosition, DeadLetterRow, FailedStep, StepAnswer, StepResolution } from "@baton/store";
import type { ApiDeps } from "../deps.ts";
import type { Cursors } from "../request/cursor.ts";
import type { Call, RouteCode } from "../routing/call.ts";
import { notFound } from "../tasks/code.ts";
import { detailsToWire, groupToWire } from "./wire.ts";

type DeadLetterRoute =
  | "listDeadLetters"
  | "getDeadLetter"
  | "retryDeadLetter"
  | "retryDeadLetters"
  | "resolveDeadLetter";

/** Newest letters that a group shows when the list is of groups. */
const lettersOfGroup = 5;
const maxShownBytes = 65_536;

const positionOf = ({ failedAtMicros, stepId }: DeadLetterRow): DeadLetterPosition => ({ failedAtMicros, id: stepId });

async function list(deps: ApiDeps, cursors: Cursors, { principal, query }: Call<"listDeadLetters">) {
  const { tenantId } = principal;
  const { code, taskId, group, limit } = query;
  const since = query.since === undefined ? undefined : Date.parse(query.since);
  const selection = { tenantId, code, taskId, since };
  const filters = ["dead-letters", tenantId, code ?? "", taskId ?? "", since ?? ""];
  const scopeOf = (of: string) => [...filters, of];
  const open = (of: string) =>
    query.cursor === undefined ? undefined : (cursors.open(scopeOf(of), query.cursor) as DeadLetterPosition);
  const lettersCursor = (groupId: string, last: DeadLetterRow | undefined, hasMore: boolean) =>
    last !== undefined && hasMore ? cursors.seal(scopeOf(groupId), positionOf(last)) : null;

  if (group !== undefined) {
    const before = open(group);
    const narrowed = { ...selection, groupId: group };
    const found = await deps.store.listDeadLetterGroups({ ...narrowed, limit: 1, letters: 0 });
    const letters = await deps.store.listDeadLetters({ ...narrowed, before, limit: limit + 1 });
    const page = letters.slice(0, limit);
    const nextCursor = lettersCursor(group, page.at(-1), letters.length > limit);
    const groups = found.groups.map((row) => groupToWire({ ...row, letters: page }, nextCursor));
    return { status: 200 as const, body: { total: found.total, groups, nextCursor: null } };
  }
  const before = open("");
  const { total, groups } = await deps.store.listDeadLetterGroups({
    ...selection,
    before,
    limit: limit + 1,
    letters: lettersOfGroup,
  });
  const page = groups.slice(0, limit);
  const last = page.at(-1);
  const wire = page.map((row) =>
    groupToWire(row, lettersCursor(row.groupId, row.letters.at(-1), row.count > row.letters.length)),
  );
  const nextCursor =
    groups.length > limit && last !== undefined
      ? cursors.seal(scopeOf(""), { failedAtMicros: last.lastFailedAtMicros, id: last.groupId })
      : null;
  return { status: 200 as const, body: { total, groups: wire, nextCursor } };
}

/** What another tenant owns does not exist. */
function existing<Found>(found: Found | undefined): Found {
  if (found === undefined) throw notFound("dead letter");
  return found;
}

const readerOf =
  (deps: ApiDeps, { step }: FailedStep) =>
  (output: StepOutput) =>
    output.blobId === undefined ? Promise.resolve(output.output) : deps.store.readOutput(step.ref, output.blobId);

function answerOf(letter: DeadLetterRow, verb: string, given: StepAnswer | undefined) {
  const answer = existing(given);
  if (answer.answer === "illegal") {
    const what = `The step ${letter.stepId} ("${letter.key}")`;
    throw new BatonError(
      "illegal-transition",
      answer.stepState === "failed"
        ? `${what} has failed again since it was read; look at it once more.`
        : `${what} is ${answer.stepState}; only a dead letter can be ${verb}.`,
    );
  }
  const { stepId: id, taskId } = letter;
  const { stepState: state, taskState } = answer;
  return { status: 200 as const, body: { id, taskId, state, taskState, changed: answer.answer === "changed" } };
}

function refuseByKind(letter: DeadLetterRow, state: StepResolution["state"]): void {
  if (resolutionsOf(letter.kind).includes(state)) return;
  const field = state === "completed" ? "output" : "skip";
  const detail =
    letter.kind === "plan"
      ? "the outcome of a step of kind plan is the steps it adds; retry it, or cancel its task"
      : `a step of kind ${letter.kind} cannot be given an output; send "skip": true to go on without it, or retry it`;
  throw new BatonError("illegal-transition", `The step "${letter.key}" cannot be resolved like this: ${detail}.`, {
    problems: [{ pointer: `/${field}`, detail }],
    details: { in: "body" },
  });
}

async function resolve(deps: ApiDeps, { principal, params, body }: Call<"resolveDeadLetter">) {
  const found = existing(await deps.store.readFailedStep(principal.tenantId, params.id));
  const { ref } = found.step;
  const { attemptNo } = found.letter;
  const why = { attemptNo, by: principal.keyId, reason: body.reason };
  const state = body.skip === true ? "skipped" : "completed";
  refuseByKind(found.letter, state);
  if (state === "skipped")
    return answerOf(found.letter, "skipped", await deps.store.resolveStep(ref, { ...why, state }));
  const isOpen = found.letter.state === "failed";
  const deadEdges = isOpen ? await judgeEdges(found.step, body.output, readerOf(deps, found)) : [];
  const outputJson = JSON.stringify(body.output);
  return answerOf(
    found.letter,
    "resolved",
    await deps.store.resolveStep(ref, { ...why, state, outputJson, deadEdges }),
  );
}

export function deadLetterCode(deps: ApiDeps, cursors: Cursors): Pick<RouteCode, DeadLetterRoute> {
  return {
    listDeadLetters: (call) => list(deps, cursors, call),
    async getDeadLetter({ principal, params }) {
      const found = existing(await deps.store.readFailedStep(principal.tenantId, params.id));
      if (found.letter.state !== "failed") throw notFound("dead letter");
      const shown = await shownConfig(found.step, readerOf(deps, found), maxShownBytes);
      return { status: 200, body: detailsToWire(found, shown) };
    },
    async retryDeadLetter({ principal, params, body }) {
      const { tenantId, keyId: by } = principal;
      const letter = existing(await deps.store.findDeadLetter(tenantId, params.id));
      const { taskId, stepId } = letter;
      return answerOf(
        letter,
        "retried",
        await deps.store.retryStep({ tenantId, taskId, stepId }, { by, reason: body?.reason }),
      );
    },
    async retryDeadLetters({ principal, body }) {
      const { ids: stepIds, group: groupId, code, taskId, reason } = body;
      const selection = { tenantId: principal.tenantId, code, taskId, groupId, stepIds };
      const retried = await deps.store.retryDeadLetters(selection, { by: principal.keyId, reason });
      return { status: 200, body: retried };
    },
    resolveDeadLetter: (call) => resolve(deps, call),
  };
}
