/**
 * The route table: every HTTP route with its shapes, once.
 *
 * Purpose: the server registers from it, the client is typed by it, OpenAPI is written from it.
 * Boundary: shapes only; what a route does is apps/api's.
 *
 * 1. Objects are strict: an unknown field is refused and named.
 * 2. Operation ids are stable; the client's methods and OpenAPI carry them.
 */
import { chatRoutes } from "./chat.ts";
import { serviceRoutes } from "./service.ts";
import type { RouteShape } from "./shape.ts";
import { taskRoutes } from "./tasks.ts";

export const routes = { ...taskRoutes, ...chatRoutes, ...serviceRoutes } satisfies Record<string, RouteShape>;
export type Routes = typeof routes;
export type OperationId = keyof Routes;
