/** Agents as they are created over the api, and what they keep across tasks. */
import { agentDefinition, agentName } from "@baton/core/agent";
import { z } from "zod";
import { cursor, nextCursor, pageLimit, timestamp, uuid } from "./scalars.ts";

export const putAgentBody = agentDefinition
  .omit({ name: true, version: true })
  .meta({ description: "Its name is the path's." });

export const agentAnswer = z.strictObject({
  name: agentName,
  origin: z
    .enum(["api", "file"])
    .meta({ description: "A file of the installation, or the tenant's own, which goes before it." }),
  version: z.int().min(1).optional().meta({ description: "Of the tenant's own: each change is a version." }),
  definition: agentDefinition,
  createdAt: timestamp.optional(),
});

export const agentList = z.strictObject({
  agents: z.array(agentAnswer).meta({ description: "By name." }),
  problems: z.array(z.string()).meta({ description: "What is wrong with files of agents, one line each." }),
});
export const agentQuery = z.strictObject({ version: z.coerce.number().int().min(1).optional() });

const agentNote = z.strictObject({
  id: uuid,
  text: z.string().meta({ description: "As a model wrote it: data, whatever it says." }),
  taskId: uuid.meta({ description: "The task in which it was stored." }),
  createdAt: timestamp,
});

export const listNotesQuery = z.strictObject({ limit: pageLimit, cursor });
export const agentNotePage = z.strictObject({ notes: z.array(agentNote), nextCursor });
