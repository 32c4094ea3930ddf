/** The routes of catalogues, keys and health. */
import { z } from "zod";
import { uuid } from "../wire/scalars.ts";
import { apiKeyList, createdKey, createKeyBody, health, modelList, readiness, toolList } from "../wire/service.ts";
import * as example from "./examples.ts";
import type { RouteShape } from "./shape.ts";

export const serviceRoutes = {
  listTools: {
    method: "GET",
    path: "/api/v1/tools",
    tag: "catalogues",
    summary: "List the tools a plan may use",
    scope: "read",
    answers: [{ status: 200, description: "All of them.", schema: toolList, example: example.tools }],
    errors: [],
  },
  listModels: {
    method: "GET",
    path: "/api/v1/models",
    tag: "catalogues",
    summary: "List the models a task may name",
    scope: "read",
    answers: [{ status: 200, description: "All of them.", schema: modelList, example: example.models }],
    errors: [],
  },
  createKey: {
    method: "POST",
    path: "/api/v1/keys",
    tag: "keys",
    summary: "Create an API key",
    scope: "admin",
    body: createKeyBody,
    bodyExample: { name: "ci", scopes: ["read", "write"] },
    answers: [
      { status: 201, description: "The key, shown this once.", schema: createdKey, example: example.createdKey },
    ],
    errors: [],
  },
  listKeys: {
    method: "GET",
    path: "/api/v1/keys",
    tag: "keys",
    summary: "List the API keys that work",
    scope: "admin",
    answers: [
      { status: 200, description: "All of them, without their secrets.", schema: apiKeyList, example: example.keys },
    ],
    errors: [],
  },
  revokeKey: {
    method: "DELETE",
    path: "/api/v1/keys/{id}",
    tag: "keys",
    summary: "Revoke an API key",
    scope: "admin",
    params: z.strictObject({ id: uuid }),
    answers: [{ status: 204, description: "It no longer works." }],
    errors: ["not-found"],
  },
  metrics: {
    method: "GET",
    path: "/metrics",
    tag: "service",
    summary: "Figures of this process for Prometheus",
    scope: "read",
    answers: [{ status: 200, media: "text/plain", description: "The text format." }],
    errors: [],
  },
  health: {
    method: "GET",
    path: "/health",
    tag: "service",
    summary: "The process answers",
    scope: "none",
    answers: [{ status: 200, description: "It does.", schema: health, example: { status: "ok", version: "0.1.0" } }],
    errors: [],
  },
  live: {
    method: "GET",
    path: "/health/live",
    tag: "service",
    summary: "Liveness probe",
    scope: "none",
    answers: [
      { status: 200, description: "It is alive.", schema: health, example: { status: "ok", version: "0.1.0" } },
    ],
    errors: [],
  },
  ready: {
    method: "GET",
    path: "/health/ready",
    tag: "service",
    summary: "Readiness probe: the database answers, and the process has time for requests",
    scope: "none",
    answers: [
      { status: 200, description: "Requests are welcome.", schema: readiness, example: example.readiness },
      { status: 503, description: "The database does not answer, or the event loop was blocked.", schema: readiness },
    ],
    errors: [],
  },
} as const satisfies Record<string, RouteShape>;
