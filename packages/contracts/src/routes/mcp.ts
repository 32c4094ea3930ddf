/** The routes of MCP servers. */
import { z } from "zod";
import { acceptMcpToolBody, mcpServerList, mcpTool } from "../wire/mcp.ts";
import * as example from "./examples.ts";
import type { RouteShape } from "./shape.ts";

const base = { tag: "mcp" } as const;
const { hash } = example.mcpTool;

export const mcpRoutes = {
  listMcpServers: {
    ...base,
    method: "GET",
    path: "/api/v1/mcp/servers",
    summary: "List the configured MCP servers with their tools, as workers found them",
    scope: "read",
    answers: [
      {
        status: 200,
        description: "All of them. Nothing is started to answer.",
        schema: mcpServerList,
        example: { servers: [{ name: "files", listedAt: example.mcpTool.changedAt, tools: [example.mcpTool] }] },
      },
    ],
    errors: [],
  },
  acceptMcpTool: {
    ...base,
    method: "POST",
    path: "/api/v1/mcp/tools/{name}/accept",
    summary: "Let a changed tool be called again, as it is now",
    scope: "admin",
    params: z.strictObject({ name: z.string().min(3).max(160) }),
    body: acceptMcpToolBody,
    bodyExample: { hash },
    answers: [
      {
        status: 200,
        description: "Models are told of it as it is now, and it may be called. Accepted again, it changes nothing.",
        schema: mcpTool,
        example: example.mcpTool,
      },
    ],
    errors: ["not-found", "illegal-transition", "forbidden"],
  },
} as const satisfies Record<string, RouteShape>;
