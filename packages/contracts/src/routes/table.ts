/**
 * The route table: every HTTP route with its shapes, once.
 *
 * Purpose: the server registers from it, the client is typed by it, OpenAPI is written from it.
 * Boundary: shapes only; what a route does is apps/api's.
 *
 * 1. Objects are strict: an unknown field is refused and named.
 * 2. Operation ids are stable; the client's methods and OpenAPI carry them.
 */
import type { z } from "zod";
import { agentRoutes } from "./agents.ts";
import { budgetRoutes } from "./budgets.ts";
import { chatRoutes } from "./chat.ts";
import { deadLetterRoutes } from "./dead-letters.ts";
import { effectRoutes } from "./effects.ts";
import { mcpRoutes } from "./mcp.ts";
import { evaluationRoutes } from "./evaluations.ts";
import { questionRoutes } from "./questions.ts";
import { serviceRoutes } from "./service.ts";
import type { RouteShape } from "./shape.ts";
import { taskRoutes } from "./tasks.ts";

export const routes = {
  ...taskRoutes,
  ...deadLetterRoutes,
  ...effectRoutes,
  ...questionRoutes,
  ...agentRoutes,
  ...mcpRoutes,
  ...budgetRoutes,
  ...chatRoutes,
  ...evaluationRoutes,
  ...serviceRoutes,
} satisfies Record<string, RouteShape>;
export type Routes = typeof routes;
export type OperationId = keyof Routes;

type Shape<Id extends OperationId> = Routes[Id] & RouteShape;
type Part = "params" | "query" | "body";

/** What a client hands in for a part of the request; undefined when the route has no such part. */
export type RouteInput<Id extends OperationId, P extends Part> = Shape<Id>[P] extends z.ZodType
  ? z.input<Shape<Id>[P]>
  : undefined;
/** The same after validation, as the server sees it. */
export type RouteParsed<Id extends OperationId, P extends Part> = Shape<Id>[P] extends z.ZodType
  ? z.output<Shape<Id>[P]>
  : undefined;
/** The body of the first answer. */
export type RouteOutput<Id extends OperationId> = Shape<Id>["answers"][0] extends {
  readonly schema: infer S extends z.ZodType;
}
  ? z.output<S>
  : undefined;
/** An answer with a JSON body, as the server writes it. */
export type RouteAnswer<Id extends OperationId> =
  Extract<Shape<Id>["answers"][number], { readonly schema: z.ZodType }> extends infer A extends {
    readonly status: number;
    readonly schema: z.ZodType;
  }
    ? { readonly status: A["status"]; readonly body: z.input<A["schema"]> }
    : never;
