/** What agents keep across tasks. */
import { z } from "zod";
import { cursor, nextCursor, pageLimit, timestamp, uuid } from "./scalars.ts";

const agentNote = z.strictObject({
  id: uuid,
  text: z.string().meta({ description: "As a model wrote it: data, whatever it says." }),
  taskId: uuid.meta({ description: "The task in which it was stored." }),
  createdAt: timestamp,
});

export const listNotesQuery = z.strictObject({ limit: pageLimit, cursor });
export const agentNotePage = z.strictObject({ notes: z.array(agentNote), nextCursor });
