/**
 * OpenAPI 3.1 from the route table, with zod's own JSON Schema 2020-12.
 *
 * 1. Pure: the same table gives the same document.
 * 2. Every route that needs a key names its security; every route names problem+json.
 */
import { errorCodes } from "@baton/core";
import type { ErrorCode } from "@baton/core";
import type { z } from "zod";
import { routes } from "../routes/table.ts";
import type { Answer, RouteShape } from "../routes/shape.ts";
import { components, schemaOf } from "./components.ts";
import type { JsonSchema } from "./components.ts";

const problemRef = { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } };

function parameters(route: RouteShape): JsonSchema[] {
  const ofObject = (object: z.ZodObject | undefined, place: "path" | "query"): JsonSchema[] =>
    Object.entries(object?.shape ?? {}).map(([name, schema]) => {
      const optional = (schema as z.ZodType).safeParse(undefined).success;
      const { description, ...rest } = schemaOf(schema as z.ZodType, place === "path" ? "output" : "input");
      return {
        name,
        in: place,
        required: place === "path" || !optional,
        ...(description === undefined ? {} : { description }),
        schema: rest,
      };
    });
  const headers = { ...route.headers, ...(route.idempotent ? { "Idempotency-Key": idempotencyNote } : {}) };
  return [
    ...ofObject(route.params, "path"),
    ...ofObject(route.query, "query"),
    ...Object.entries(headers)
      // OpenAPI ignores a header parameter named Accept: the answers' media types say the same.
      .filter(([name]) => name !== "Accept")
      .map(([name, description]) => ({ name, in: "header", required: false, description, schema: { type: "string" } })),
  ];
}

const idempotencyNote = "1 to 255 visible ASCII characters. A repeat answers what the first answered; kept 24 hours.";

function answerContent(answer: Answer): JsonSchema | undefined {
  if (answer.media !== undefined) {
    const schema = answer.media === "text/event-stream" ? { type: "string" } : {};
    return { [answer.media]: { schema, ...(answer.example === undefined ? {} : { example: answer.example }) } };
  }
  if (answer.schema === undefined) return undefined;
  const example = answer.example === undefined ? {} : { example: answer.example };
  return { "application/json": { schema: schemaOf(answer.schema, "output"), ...example } };
}

function responses(route: RouteShape): JsonSchema {
  const byStatus: Record<string, { description: string; content?: JsonSchema }> = {};
  for (const answer of route.answers) {
    const content = answerContent(answer);
    const known = byStatus[answer.status];
    const description = known === undefined ? answer.description : `${known.description} ${answer.description}`;
    const merged = { ...known?.content, ...content };
    byStatus[answer.status] = Object.keys(merged).length === 0 ? { description } : { description, content: merged };
  }
  for (const code of codesOf(route)) {
    const { status, title } = errorCodes[code];
    const known = byStatus[status];
    byStatus[status] = {
      description: known === undefined ? `${title} (\`${code}\`)` : `${known.description}; ${title} (\`${code}\`)`,
      content: { ...known?.content, ...problemRef },
    };
  }
  return byStatus;
}

/** Every code a route may answer, its own and those of the layers before it. */
function codesOf(route: RouteShape): readonly ErrorCode[] {
  const codes: ErrorCode[] = [...route.errors];
  if (route.scope !== "none") codes.push("unauthenticated", "forbidden", "store-unavailable");
  if (route.query !== undefined || route.body !== undefined) codes.push("invalid-request");
  if (route.body !== undefined)
    codes.push("invalid-json", "nesting-too-deep", "payload-too-large", "unsupported-media-type");
  if (route.idempotent) codes.push("idempotency-key-malformed", "idempotency-key-in-flight", "idempotency-key-reused");
  codes.push("internal");
  return [...new Set(codes)];
}

function operation(operationId: string, route: RouteShape): JsonSchema {
  const params = parameters(route);
  return {
    operationId,
    tags: [route.tag],
    summary: route.summary,
    ...(route.scope === "none" ? { security: [] } : { description: `Needs a key with the scope \`${route.scope}\`.` }),
    ...(params.length === 0 ? {} : { parameters: params }),
    ...(route.body === undefined
      ? {}
      : {
          requestBody: {
            required: route.bodyOptional !== true,
            content: {
              "application/json": {
                schema: schemaOf(route.body, "input"),
                ...(route.bodyExample === undefined ? {} : { example: route.bodyExample }),
              },
            },
          },
        }),
    responses: responses(route),
  };
}

export function openApiDocument(version: string): JsonSchema {
  const paths: Record<string, Record<string, JsonSchema>> = {};
  for (const [operationId, route] of Object.entries<RouteShape>(routes)) {
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: operation(operationId, route) };
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Baton",
      version,
      description: "Long AI work, run to the end: goals and plans become durable tasks.",
      license: { name: "MIT", identifier: "MIT" },
    },
    jsonSchemaDialect: "https://json-schema.org/draft/2020-12/schema",
    servers: [{ url: "/" }],
    security: [{ bearer: [] }, { apiKey: [] }],
    tags: [
      { name: "tasks", description: "Durable work: start, follow, steer." },
      { name: "effects", description: "Calls to the outside: what was asked, what came of it, and what is in doubt." },
      { name: "questions", description: "What steps ask people: answers, approvals, rejections." },
      { name: "agents", description: "Agents, in versions, and what they keep across tasks." },
      { name: "mcp", description: "Tools of MCP servers: what workers found, and what is accepted." },
      { name: "dead-letters", description: "Steps that are out of attempts: why, and what can be done." },
      { name: "budgets", description: "What may be spent, and what was." },
      { name: "chat", description: "Messages that are answered at once or become tasks." },
      { name: "evaluations", description: "What a model would decide, without a task." },
      { name: "catalogues", description: "What plans may use." },
      { name: "keys", description: "API keys." },
      { name: "service", description: "Probes." },
    ],
    paths,
    components: {
      securitySchemes: {
        bearer: { type: "http", scheme: "bearer" },
        apiKey: { type: "apiKey", in: "header", name: "X-API-Key" },
      },
      schemas: components(),
    },
  };
}
