/** The client as one object. */
import type {
  DeadLetterDetails,
  DeadLetterGroup,
  OperationId,
  Question,
  RouteOutput,
  Step,
  Task,
  TaskBudget,
  TaskEffect,
  Trace,
  TraceStreamEvent,
  Usage,
} from "@baton/contracts";
import { chat, resumeChat } from "./chat.ts";
import type { ChatAnswer, UiPart } from "./chat.ts";
import { followTask } from "./follow.ts";
import type { FollowOptions } from "./follow.ts";
import { allDeadLetterGroups, allEffects, allQuestions, allSteps, allTasks, allTraces } from "./pages.ts";
import { request, send } from "./request.ts";
import type { ClientOptions, RequestInput, RequestOptions } from "./request.ts";
import { createTaskIn } from "./transaction.ts";
import type { TransactionOptions } from "./transaction.ts";

type Body<Id extends OperationId> = NonNullable<RequestInput<Id>["body"]>;

export interface DownloadedArtifact {
  readonly mediaType: string;
  readonly content: Uint8Array;
}

export interface BatonClient {
  /** Any route of the table, typed by it. */
  request<Id extends OperationId>(id: Id, input: RequestInput<Id>): Promise<RouteOutput<Id>>;
  /** With `tx`, a connection to Baton's own database, the task commits or rolls back with that transaction. */
  createTask(
    body: Body<"createTask">,
    options?: RequestOptions | TransactionOptions,
  ): Promise<RouteOutput<"createTask">>;
  getTask(id: string, options?: RequestOptions): Promise<Task>;
  cancelTask(id: string, reason?: string): Promise<RouteOutput<"cancelTask">>;
  /** Newest first. */
  tasks(query?: Parameters<typeof allTasks>[1], signal?: AbortSignal): AsyncIterable<Task>;
  /** In the order of the plan. */
  steps(taskId: string, query?: Parameters<typeof allSteps>[2], signal?: AbortSignal): AsyncIterable<Step>;
  traces(taskId: string, after?: number, signal?: AbortSignal): AsyncIterable<Trace>;
  /** Traces and live messages as they come, over broken connections, until the task is over. */
  follow(taskId: string, options?: FollowOptions): AsyncIterable<TraceStreamEvent>;
  /** Steps that are out of attempts, by cause; the newest failure first. */
  deadLetters(query?: Parameters<typeof allDeadLetterGroups>[1], signal?: AbortSignal): AsyncIterable<DeadLetterGroup>;
  getDeadLetter(id: string, options?: RequestOptions): Promise<DeadLetterDetails>;
  retryDeadLetters(body: Body<"retryDeadLetters">, options?: RequestOptions): Promise<RouteOutput<"retryDeadLetters">>;
  resolveDeadLetter(
    id: string,
    body: Body<"resolveDeadLetter">,
    options?: RequestOptions,
  ): Promise<RouteOutput<"resolveDeadLetter">>;
  /** A task's calls to the outside, in the order of its steps. */
  effects(taskId: string, query?: Parameters<typeof allEffects>[2], signal?: AbortSignal): AsyncIterable<TaskEffect>;
  /** Says what became of a call in doubt. */
  resolveEffect(
    call: Pick<TaskEffect, "stepId" | "callNo"> & { readonly taskId: string },
    body: Body<"resolveEffect">,
    options?: RequestOptions,
  ): Promise<RouteOutput<"resolveEffect">>;
  /** What steps ask people, the newest first. */
  questions(query?: Parameters<typeof allQuestions>[1], signal?: AbortSignal): AsyncIterable<Question>;
  answerQuestion(id: string, answer: string, options?: RequestOptions): Promise<RouteOutput<"answerQuestion">>;
  approveCall(
    id: string,
    body?: RequestInput<"approveCall">["body"],
    options?: RequestOptions,
  ): Promise<RouteOutput<"approveCall">>;
  rejectCall(id: string, reason: string, options?: RequestOptions): Promise<RouteOutput<"rejectCall">>;
  getTaskBudget(taskId: string, options?: RequestOptions): Promise<TaskBudget>;
  /** Steps that the budget held go on by themselves. */
  changeTaskBudget(
    taskId: string,
    change: Body<"changeTaskBudget">,
    options?: RequestOptions,
  ): Promise<RouteOutput<"changeTaskBudget">>;
  /** What model calls have cost, by day, by model or by task. */
  usage(query?: RequestInput<"getUsage">["query"], options?: RequestOptions): Promise<Usage>;
  downloadArtifact(taskId: string, artifactId: string): Promise<DownloadedArtifact>;
  chat(body: Body<"chat">, options?: RequestOptions): Promise<ChatAnswer>;
  resumeChat(threadId: string, signal?: AbortSignal): Promise<AsyncIterable<UiPart> | undefined>;
}

export function createClient(options: ClientOptions): BatonClient {
  return {
    request: (id, input) => request(options, id, input),
    createTask: (body, rest = {}) =>
      "tx" in rest ? createTaskIn(options.apiKey, body, rest) : request(options, "createTask", { ...rest, body }),
    getTask: (id, rest) => request(options, "getTask", { ...rest, params: { id } }),
    cancelTask: (id, reason) =>
      request(options, "cancelTask", { params: { id }, ...(reason === undefined ? {} : { body: { reason } }) }),
    tasks: (query, signal) => allTasks(options, query, signal),
    steps: (taskId, query, signal) => allSteps(options, taskId, query, signal),
    traces: (taskId, after, signal) => allTraces(options, taskId, after, signal),
    follow: (taskId, follow) => followTask(options, taskId, follow),
    deadLetters: (query, signal) => allDeadLetterGroups(options, query, signal),
    getDeadLetter: (id, rest) => request(options, "getDeadLetter", { ...rest, params: { id } }),
    retryDeadLetters: (body, rest) => request(options, "retryDeadLetters", { ...rest, body }),
    resolveDeadLetter: (id, body, rest) => request(options, "resolveDeadLetter", { ...rest, params: { id }, body }),
    effects: (taskId, query, signal) => allEffects(options, taskId, query, signal),
    resolveEffect: ({ taskId, stepId, callNo }, body, rest) =>
      request(options, "resolveEffect", { ...rest, params: { id: taskId, stepId, callNo }, body }),
    questions: (query, signal) => allQuestions(options, query, signal),
    answerQuestion: (id, answer, rest) =>
      request(options, "answerQuestion", { ...rest, params: { id }, body: { answer } }),
    approveCall: (id, body, rest) =>
      request(options, "approveCall", { ...rest, params: { id }, ...(body && { body }) }),
    rejectCall: (id, reason, rest) => request(options, "rejectCall", { ...rest, params: { id }, body: { reason } }),
    getTaskBudget: (id, rest) => request(options, "getTaskBudget", { ...rest, params: { id } }),
    changeTaskBudget: (id, body, rest) => request(options, "changeTaskBudget", { ...rest, params: { id }, body }),
    usage: (query, rest) => request(options, "getUsage", { ...rest, query }),
    async downloadArtifact(id, artifactId) {
      const response = await send(options, "downloadArtifact", { params: { id, artifactId } });
      const mediaType = response.headers.get("content-type") ?? "application/octet-stream";
      return { mediaType, content: new Uint8Array(await response.arrayBuffer()) };
    },
    chat: (body, rest) => chat(options, { ...rest, body }),
    resumeChat: (threadId, signal) => resumeChat(options, threadId, signal),
  };
}
