/**
 * The HTTP API as a `fetch` function.
 *
 * Purpose: take intent: validate, write, answer. Boundary: performs no step; it knows its surroundings
 * only through `ApiDeps`, which compose.ts fills.
 *
 * 1. Bad input is a 4xx that names the field and the fix, and nothing is written.
 * 2. What another tenant owns does not exist.
 * 3. Nothing is loaded from elsewhere, and no other origin may read an answer (no CORS).
 */
import { openApiDocument } from "@baton/contracts";
import { Hono } from "hono";
import { agentCode } from "./agents/code.ts";
import { rememberKeys } from "./access/known-keys.ts";
import { boardAsHono } from "./board/access.ts";
import { budgetCode } from "./budgets/code.ts";
import { docsHeaders, docsPage } from "./docs/page.ts";
import type { ApiDeps } from "./deps.ts";
import { chatCode } from "./chat/code.ts";
import { uiStream } from "./chat/streams.ts";
import { orchestrationCode } from "./orchestration/code.ts";
import { deadLetterCode } from "./dead-letters/code.ts";
import { effectCode } from "./effects/code.ts";
import { mcpCode } from "./mcp/code.ts";
import { evaluationCode } from "./evaluations/code.ts";
import { questionCode } from "./questions/code.ts";
import { createCursors } from "./request/cursor.ts";
import { secureHeaders } from "./request/secure-headers.ts";
import { KeyReturns } from "./routing/key-returns.ts";
import { errorAnswer, routesAsHono } from "./routing/routing.ts";
import { serviceCode } from "./service-code.ts";
import { taskCode } from "./tasks/code.ts";
import { TaskCreation } from "./tasks/creation.ts";

export interface Api {
  fetch(request: Request): Response | Promise<Response>;
}

export function createApi(given: ApiDeps): Api {
  const deps = { ...given, store: rememberKeys(given.store, () => performance.now()) };
  const creation = new TaskCreation(deps);
  const cursors = createCursors(deps.secret);
  const app = routesAsHono({
    store: deps.store,
    log: deps.log,
    newId: deps.newId,
    keys: new KeyReturns(deps.store, deps.log),
    openStream: (stream, principal, request) => uiStream(deps, stream, principal, request),
    code: {
      ...taskCode(deps, creation, cursors),
      ...deadLetterCode(deps, cursors),
      ...effectCode(deps, cursors),
      ...questionCode(deps, cursors),
      ...agentCode(deps, cursors),
      ...mcpCode(deps),
      ...budgetCode(deps),
      ...chatCode(deps, creation),
      ...orchestrationCode(deps, creation),
      ...evaluationCode(deps, creation),
      ...serviceCode(deps),
    },
  });
  const outer = new Hono();
  outer.use(secureHeaders);
  const document = openApiDocument(deps.version);
  const page = docsPage(document);
  outer.get("/openapi.json", (context) => context.json(document));
  outer.get("/docs", (context) => context.html(page, 200, docsHeaders));
  if (deps.boards !== undefined) outer.route("/", boardAsHono(deps, deps.boards));
  outer.route("/", app);
  outer.notFound((context) => app.fetch(context.req.raw));
  outer.onError((error, context) => errorAnswer(deps.log, deps.newId, error, context.req.raw));
  return { fetch: (request) => outer.fetch(request) };
}
