import { openApiDocument, routes } from "@baton/contracts";
import type { RouteShape } from "@baton/contracts";
import { errorCodes } from "@baton/core";
import { describe, expect, it } from "vitest";

type Node = { readonly [name: string]: unknown };
const document = openApiDocument("1.2.3") as {
  openapi: string;
  paths: Record<string, Record<string, Node & { operationId: string; responses: Record<string, Node> }>>;
  components: { schemas: Record<string, Node>; securitySchemes: Node };
};
const table = Object.entries<RouteShape>(routes);

function* nodesOf(root: unknown): Generator<Node> {
  const open = [root];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (typeof node !== "object" || node === null) continue;
    if (!Array.isArray(node)) yield node as Node;
    open.push(...(Object.values(node) as unknown[]));
  }
}

describe("the OpenAPI document", () => {
  it("is version 3.1 and holds every route once, under its operation id", () => {
    expect(document.openapi).toBe("3.1.0");
    const written = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => `${operation.operationId} ${method.toUpperCase()} ${path}`),
    );
    expect(written.sort()).toEqual(table.map(([id, { method, path }]) => `${id} ${method} ${path}`).sort());
  });

  it("refers only to schemas that it has, and names no schema's own dialect or id", () => {
    for (const node of nodesOf(document)) {
      if (typeof node["$ref"] === "string") {
        const name = node["$ref"].replace("#/components/schemas/", "");
        expect(Object.keys(document.components.schemas), node["$ref"]).toContain(name);
      }
      expect(node).not.toHaveProperty("$id");
      expect(node).not.toHaveProperty("$schema");
    }
  });

  it("declares every parameter of a path, and no other", () => {
    for (const [, { path, method, params }] of table) {
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      expect(Object.keys(params?.shape ?? {}), `${method} ${path}`).toEqual(inPath);
    }
  });

  it("lets no object of a request or an answer take unknown fields unseen", () => {
    for (const [name, schema] of Object.entries(document.components.schemas)) {
      for (const node of nodesOf(schema)) {
        if (node["type"] === "object" && node["properties"] !== undefined && typeof node["properties"] === "object") {
          expect(node["additionalProperties"], `${name}: ${Object.keys(node["properties"] as object).join(", ")}`).toBe(
            false,
          );
        }
      }
    }
  });

  it("documents the status of every error code that a route names", () => {
    for (const [, route] of table) {
      const operation = document.paths[route.path]?.[route.method.toLowerCase()];
      for (const code of route.errors)
        expect(Object.keys(operation?.responses ?? {})).toContain(String(errorCodes[code].status));
    }
  });
});

describe("the examples", () => {
  it.each(table.filter(([, { bodyExample }]) => bodyExample !== undefined))("the body of %s is valid", (_id, route) => {
    expect(route.body?.safeParse(route.bodyExample).error).toBeUndefined();
  });
  it.each(
    table
      .flatMap(([id, route]) => route.answers.map((answer) => [id, answer] as const))
      .filter(([, { schema, example }]) => schema !== undefined && example !== undefined),
  )("an answer of %s is valid", (_id, { schema, example }) => {
    expect(schema?.safeParse(example).error).toBeUndefined();
  });
  it("every route with a body or a JSON answer has one", () => {
    for (const [id, route] of table) {
      if (route.body !== undefined) expect(route.bodyExample, id).toBeDefined();
      if (route.answers[0].schema !== undefined) expect(route.answers[0].example, id).toBeDefined();
    }
  });
});
