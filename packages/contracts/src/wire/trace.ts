/** Traces as a page and as a stream. */
import { z } from "zod";
import { count, pageLimit, timestamp, uuid } from "./scalars.ts";
import { taskState } from "./task.ts";

export const trace = z.strictObject({
  no: z.int().min(1),
  type: z.string().meta({ description: "An event of the catalogue." }),
  stepId: uuid.optional(),
  attemptNo: count.optional(),
  data: z.record(z.string(), z.unknown()),
  createdAt: timestamp,
});
export type Trace = z.infer<typeof trace>;

export const listTracesQuery = z.strictObject({
  after: z.coerce.number().int().min(0).optional().meta({ description: "Only traces with a higher number." }),
  limit: pageLimit,
});
export const tracePage = z.strictObject({
  traces: z.array(trace),
  nextAfter: count.nullable().meta({ description: "Hand it in as `after` for the next page; null on the last." }),
});

/** The last event of a trace stream (`event: end`): nothing more happens until a person acts. */
export const streamEnd = z.strictObject({ state: taskState });

/** One event of a trace stream. `live` is what is only interesting while it happens; it is never replayed. */
export type TraceStreamEvent =
  | { readonly event: "trace"; readonly trace: Trace }
  | { readonly event: "live"; readonly data: unknown }
  | { readonly event: "end"; readonly state: z.infer<typeof taskState> };
