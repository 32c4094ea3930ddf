/** What one row of the route table says. */
import type { ErrorCode } from "@baton/core";
import type { z } from "zod";
import type { Scope } from "../wire/scalars.ts";

export interface Answer {
  readonly status: 200 | 201 | 202 | 204 | 303 | 503;
  readonly description: string;
  /** Absent = `application/json` when there is a schema, no body otherwise. */
  readonly media?: string;
  readonly schema?: z.ZodType;
  readonly example?: unknown;
}

export interface RouteShape {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** OpenAPI template: `/api/v1/tasks/{id}`. */
  readonly path: string;
  readonly tag:
    | "tasks"
    | "dead-letters"
    | "effects"
    | "questions"
    | "agents"
    | "budgets"
    | "chat"
    | "evaluations"
    | "catalogues"
    | "keys"
    | "mcp"
    | "service";
  readonly summary: string;
  /** The scope a key needs; `none` = no key at all. */
  readonly scope: Scope | "none";
  /** Takes an `Idempotency-Key`. */
  readonly idempotent?: true;
  readonly params?: z.ZodObject;
  readonly query?: z.ZodObject;
  /** Request headers with a meaning of their own. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: z.ZodType;
  /** The body may be left out. */
  readonly bodyOptional?: true;
  readonly bodyExample?: unknown;
  /** Of the whole body; 1 MB when absent. */
  readonly bodyLimitBytes?: number;
  /** The first is what the typed client returns. */
  readonly answers: readonly [Answer, ...Answer[]];
  /** Codes besides those every route may answer. */
  readonly errors: readonly ErrorCode[];
}
