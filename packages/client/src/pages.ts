/** Every row of a list, page by page. */
import type { DeadLetterGroup, Question, Step, Task, TaskEffect, Trace } from "@baton/contracts";
import { request } from "./request.ts";
import type { ClientOptions, RequestInput } from "./request.ts";

const pageSize = 200;

type Query<Id extends "listTasks" | "listTaskSteps" | "listDeadLetters" | "listEffects" | "listQuestions"> = Omit<
  NonNullable<RequestInput<Id>["query"]>,
  "cursor" | "limit"
>;

export async function* allTasks(
  options: ClientOptions,
  query: Query<"listTasks"> = {},
  signal?: AbortSignal,
): AsyncGenerator<Task> {
  let cursor: string | undefined;
  do {
    const page = await request(options, "listTasks", { query: { ...query, limit: pageSize, cursor }, signal });
    yield* page.tasks;
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
}

export async function* allSteps(
  options: ClientOptions,
  taskId: string,
  query: Query<"listTaskSteps"> = {},
  signal?: AbortSignal,
): AsyncGenerator<Step> {
  let cursor: string | undefined;
  do {
    const page = await request(options, "listTaskSteps", {
      params: { id: taskId },
      query: { ...query, limit: pageSize, cursor },
      signal,
    });
    yield* page.steps;
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
}

export async function* allDeadLetterGroups(
  options: ClientOptions,
  query: Query<"listDeadLetters"> = {},
  signal?: AbortSignal,
): AsyncGenerator<DeadLetterGroup> {
  let cursor: string | undefined;
  do {
    const page = await request(options, "listDeadLetters", { query: { ...query, limit: pageSize, cursor }, signal });
    yield* page.groups;
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
}

export async function* allEffects(
  options: ClientOptions,
  taskId: string,
  query: Query<"listEffects"> = {},
  signal?: AbortSignal,
): AsyncGenerator<TaskEffect> {
  let cursor: string | undefined;
  do {
    const page = await request(options, "listEffects", {
      params: { id: taskId },
      query: { ...query, limit: pageSize, cursor },
      signal,
    });
    yield* page.effects;
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
}

export async function* allQuestions(
  options: ClientOptions,
  query: Query<"listQuestions"> = {},
  signal?: AbortSignal,
): AsyncGenerator<Question> {
  let cursor: string | undefined;
  do {
    const page = await request(options, "listQuestions", { query: { ...query, limit: pageSize, cursor }, signal });
    yield* page.questions;
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
}

export async function* allTraces(
  options: ClientOptions,
  taskId: string,
  after = 0,
  signal?: AbortSignal,
): AsyncGenerator<Trace> {
  let from: number | undefined = after;
  while (from !== undefined) {
    const page: { traces: Trace[]; nextAfter: number | null } = await request(options, "listTaskTraces", {
      params: { id: taskId },
      query: { after: from, limit: pageSize },
      signal,
    });
    yield* page.traces;
    from = page.nextAfter ?? undefined;
  }
}
