/** The routes of agents. */
import { agentName } from "@baton/core/agent";
import { z } from "zod";
import { agentNotePage, listNotesQuery } from "../wire/agent.ts";
import { uuid } from "../wire/scalars.ts";
import * as example from "./examples.ts";
import type { RouteShape } from "./shape.ts";

const base = { tag: "agents" } as const;

export const agentRoutes = {
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
