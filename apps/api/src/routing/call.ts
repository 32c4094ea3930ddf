/** What a route's code is given and what it gives back, typed by its row of the route table. */
import type { OperationId, RouteAnswer, RouteParsed, Routes } from "@baton/contracts";
import type { IdempotencyRef } from "@baton/store";
import type { Principal } from "../access/api-key.ts";

export interface Call<Id extends OperationId> {
  /** Without tenant and scopes on routes of scope `none`. */
  readonly principal: Principal;
  readonly params: RouteParsed<Id, "params">;
  readonly query: RouteParsed<Id, "query">;
  readonly body: Routes[Id] extends { readonly bodyOptional: true }
    ? RouteParsed<Id, "body"> | undefined
    : RouteParsed<Id, "body">;
  readonly request: Request;
  /** Set when the client sent a key; what the route creates is stored together with it. */
  readonly idempotency: IdempotencyRef | undefined;
  /** What an earlier request with the same key created before its api process died: answer from it. */
  readonly createdTaskId: string | undefined;
}

/** A stream that can be opened again from the task alone, and so also for a repeated request. */
export interface StreamOfTask {
  readonly stream: "reply" | "task";
  readonly taskId: string;
  /** Of the message that it fills, where that is not the one that the task began with. */
  readonly messageId?: string;
  /** The reader has what came before the last word of a person; only what follows is told. */
  readonly continues?: true;
}

export type Reply<Id extends OperationId> =
  | (RouteAnswer<Id> & { readonly headers?: Readonly<Record<string, string>> })
  | StreamOfTask
  | Response;

export type RouteCode = { readonly [Id in OperationId]: (call: Call<Id>) => Promise<Reply<Id>> };

/** `Accept` names event streams. */
export function wantsEventStream(request: Request): boolean {
  return (request.headers.get("accept") ?? "")
    .split(",")
    .some((range) => range.trim().toLowerCase().split(";")[0] === "text/event-stream");
}
