/** Values that many bodies are made of. */
import { z } from "zod";

export const uuid = z.guid().meta({ description: "A UUID; Baton's own are version 7." });
/** RFC 3339 in UTC with milliseconds. */
export const timestamp = z.iso.datetime({ precision: 3 });
export const scope = z.enum(["read", "write", "admin"]);
export type Scope = z.infer<typeof scope>;

const goalBytes = 100_000;
/** 100 kB of UTF-8: longer material belongs in files or in `input`. */
export const goal = z
  .string()
  .refine((text) => text.trim() !== "", "write what is to be reached; the goal is empty")
  .refine(
    (text) => new TextEncoder().encode(text).length <= goalBytes,
    `at most ${goalBytes} bytes of UTF-8; put longer material into files or into \`input\``,
  )
  .meta({ description: "What is to be reached, in words; 1 to 100,000 bytes of UTF-8.", minLength: 1 });

/** A thread, under whatever name the client gives it. */
export const threadId = z.string().min(1).max(200);

export const count = z.int().min(0);
export const costUsd = z
  .number()
  .min(0)
  .nullable()
  .meta({ description: "US dollars; null when a model has no price." });
export const json = z.unknown().meta({ description: "Any JSON value." });

/** How many rows one page may hold. */
export const pageLimit = z.coerce.number().int().min(1).max(200).default(50);
export const cursor = z.string().min(1).max(1_000).optional().meta({ description: "`nextCursor` of the page before." });
export const nextCursor = z
  .string()
  .nullable()
  .meta({ description: "Hand it in as `cursor` for the next page; null on the last." });
