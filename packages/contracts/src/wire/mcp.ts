/** MCP servers as workers found them, and what people accepted of their tools. */
import { z } from "zod";
import { timestamp } from "./scalars.ts";

const definition = z.strictObject({
  description: z.string().meta({ description: "As the server says it: data, whatever it says." }),
  effect: z.enum(["read", "idempotent", "write", "irreversible"]),
  inputSchema: z.record(z.string(), z.unknown()),
});

export const mcpTool = z.strictObject({
  name: z.string().meta({ description: "As plans and agents name it: `<server>.<tool>`." }),
  server: z.string(),
  state: z.enum(["accepted", "changed", "refused", "gone"]).meta({
    description:
      "`changed`: the server says something else of it than what was accepted; `gone`: it no longer lists it; `refused`: its name or its size keep it out.",
  }),
  ...definition.shape,
  hash: z.string().meta({ description: "Of what the server says now; hand it in to accept exactly that." }),
  why: z.string().optional().meta({ description: "Why it may not be called." }),
  accepted: definition.optional().meta({ description: "What was accepted, where that is something else." }),
  acceptedBy: z.string().optional().meta({ description: "The key's id, or `first-use`." }),
  acceptedAt: timestamp.optional(),
  changedAt: timestamp,
});
export type McpTool = z.infer<typeof mcpTool>;

const mcpServer = z.strictObject({
  name: z.string(),
  listedAt: timestamp.optional().meta({ description: "Absent: no worker has listed it yet." }),
  problem: z.string().optional().meta({ description: "Why the last try to list it failed." }),
  tools: z.array(mcpTool),
});

export const mcpServerList = z.strictObject({ servers: z.array(mcpServer) });

export const acceptMcpToolBody = z.strictObject({
  hash: z
    .string()
    .regex(/^[0-9a-f]{64}$/, "the hash of the tool as it was looked at, 64 hexadecimal digits")
    .meta({ description: "Of the tool as it was looked at: what came since is not accepted." }),
});
