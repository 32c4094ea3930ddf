/** The routes of agents. */
import { agentName } from "@baton/core/agent";
import { z } from "zod";
import { agentAnswer, agentList, agentNotePage, agentQuery, listNotesQuery, putAgentBody } from "../wire/agent.ts";
import { uuid } from "../wire/scalars.ts";
import * as example from "./examples.ts";
import type { RouteShape } from "./shape.ts";

const base = { tag: "agents" } as const;

const name = z.strictObject({ name: agentName });

export const agentRoutes = {
  listAgents: {
    ...base,
    method: "GET",
    path: "/api/v1/agents",
    summary: "List the agents that a plan may name",
    scope: "read",
    answers: [{ status: 200, description: "All of them.", schema: agentList, example: example.agents }],
    errors: [],
  },
  getAgent: {
    ...base,
    method: "GET",
    path: "/api/v1/agents/{name}",
    summary: "Read an agent: the newest version, or an older one of the tenant's own",
    scope: "read",
    params: name,
    query: agentQuery,
    answers: [{ status: 200, description: "Its version is the ETag.", schema: agentAnswer, example: example.agent }],
    errors: ["not-found"],
  },
  putAgent: {
    ...base,
    method: "PUT",
    path: "/api/v1/agents/{name}",
    summary: "Create an agent, or a new version of it; tasks keep the version they began with",
    scope: "write",
    params: name,
    headers: {
      "If-Match": "The ETag of the version that this one follows; another one since is 412.",
      "If-None-Match": "`*`: only when there is none.",
    },
    body: putAgentBody,
    bodyExample: example.putAgentBody,
    answers: [
      { status: 200, description: "It is the newest version.", schema: agentAnswer, example: example.agent },
      { status: 201, description: "It is the first version.", schema: agentAnswer, example: example.agent },
    ],
    errors: ["version-conflict"],
  },
  deleteAgent: {
    ...base,
    method: "DELETE",
    path: "/api/v1/agents/{name}",
    summary: "Delete an agent of the tenant's own; tasks that have it keep it",
    scope: "write",
    params: name,
    answers: [{ status: 204, description: "No plan can name it any more." }],
    errors: ["not-found"],
  },
  listAgentNotes: {
    ...base,
    method: "GET",
    path: "/api/v1/agents/{name}/notes",
    summary: "List what an agent keeps across tasks, the newest first",
    scope: "read",
    params: z.strictObject({ name: agentName }),
    query: listNotesQuery,
    answers: [{ status: 200, description: "One page.", schema: agentNotePage, example: example.agentNotes }],
    errors: ["invalid-cursor"],
  },
  deleteAgentNote: {
    ...base,
    method: "DELETE",
    path: "/api/v1/agents/{name}/notes/{id}",
    summary: "Delete one note of an agent",
    scope: "write",
    params: z.strictObject({ name: agentName, id: uuid }),
    answers: [{ status: 204, description: "It is gone." }],
    errors: ["not-found"],
  },
} as const satisfies Record<string, RouteShape>;
