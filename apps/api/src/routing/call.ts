/** What a route's code is given and what it gives back, typed by its row of the route table. */
import type { OperationId, RouteShape, Routes } from "@baton/contracts";
import type { IdempotencyRef } from "@baton/store";
import type { z } from "zod";
import type { Principal } from "../access/api-key.ts";

type Shape<Id extends OperationId> = Routes[Id] & RouteShape;
type Parsed<R extends RouteShape, Part extends "params" | "query" | "body"> = R[Part] extends z.ZodType
  ? z.output<R[Part]>
  : undefined;

export interface Call<Id extends OperationId> {
  /** Undefined only on routes of scope `none`. */
  readonly principal: Principal;
  readonly params: Parsed<Shape<Id>, "params">;
  readonly query: Parsed<Shape<Id>, "query">;
  readonly body: Shape<Id> extends { bodyOptional: true }
    ? Parsed<Shape<Id>, "body"> | undefined
    : Parsed<Shape<Id>, "body">;
  readonly request: Request;
  /** Set when the client sent a key; what the route creates is stored together with it. */
  readonly idempotency: IdempotencyRef | undefined;
}

type JsonAnswer<R extends RouteShape> = Extract<R["answers"][number], { readonly schema: z.ZodType }>;

/** A stream that can be opened again from the task alone, and so also for a repeated request. */
export interface StreamOfTask {
  readonly stream: "reply" | "task";
  readonly taskId: string;
}

export type Reply<Id extends OperationId> =
  | {
      readonly status: JsonAnswer<Shape<Id>>["status"];
      readonly body: z.input<JsonAnswer<Shape<Id>>["schema"]>;
      readonly headers?: Readonly<Record<string, string>>;
    }
  | StreamOfTask
  | Response;

export type RouteCode = { readonly [Id in OperationId]: (call: Call<Id>) => Promise<Reply<Id>> };

/** `Accept` names event streams. */
export function wantsEventStream(request: Request): boolean {
  return (request.headers.get("accept") ?? "")
    .split(",")
    .some((range) => range.trim().toLowerCase().split(";")[0] === "text/event-stream");
}
