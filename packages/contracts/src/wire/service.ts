/** Catalogues, keys and health. */
import { toolEffects } from "@baton/core/ports";
import { z } from "zod";
import { count, scope, timestamp, uuid } from "./scalars.ts";

export const toolList = z.strictObject({
  tools: z.array(
    z.strictObject({
      name: z.string(),
      description: z.string(),
      effect: z.enum(toolEffects),
      inputSchema: z.record(z.string(), z.unknown()),
      outputSchema: z.record(z.string(), z.unknown()).optional(),
    }),
  ),
});

export const modelList = z.strictObject({
  models: z.array(
    z.strictObject({ provider: z.string(), model: z.string(), offline: z.boolean(), contextWindow: count }),
  ),
});

export const createKeyBody = z.strictObject({
  name: z.string().min(1).max(200),
  scopes: z.array(scope).min(1).max(3),
});
export const createdKey = z.strictObject({
  id: uuid,
  name: z.string(),
  scopes: z.array(scope),
  key: z.string().meta({ description: "Shown this once; only its SHA-256 is kept." }),
});
const apiKey = z.strictObject({ id: uuid, name: z.string(), scopes: z.array(scope), createdAt: timestamp });
export const apiKeyList = z.strictObject({ keys: z.array(apiKey) });

export const health = z.strictObject({ status: z.literal("ok"), version: z.string() });
export const readiness = z.strictObject({
  status: z.enum(["ready", "not-ready"]),
  checks: z.strictObject({
    store: z.enum(["ok", "unavailable"]),
    workers: z.enum(["serving", "none", "worker-disabled", "unknown"]),
    eventLoop: z.enum(["ok", "blocked"]),
  }),
  eventLoopLagMs: count.meta({ description: "Longest delay of the event loop in the last 10 to 20 seconds." }),
});
