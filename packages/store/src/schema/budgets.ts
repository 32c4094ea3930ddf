import { sql } from "drizzle-orm";
import { bigint, boolean, date, integer, numeric, primaryKey, text, timestamp, uuid } from "drizzle-orm/pg-core";
import { baton } from "./baton.ts";

const whole = (name: string) => bigint(name, { mode: "number" });
const usd = (name: string) => numeric(name, { mode: "number" });
const time = (name: string) => timestamp(name, { withTimezone: true });

export const budget = baton.table(
  "budget",
  {
    tenantId: uuid("tenant_id").notNull(),
    scope: text("scope").notNull(),
    scopeId: text("scope_id").notNull(),
    capTokens: whole("cap_tokens"),
    capUsd: usd("cap_usd"),
    capModelCalls: whole("cap_model_calls"),
    capToolCalls: whole("cap_tool_calls"),
    capWallMs: whole("cap_wall_ms"),
    settledTokens: whole("settled_tokens").notNull().default(sql`default`),
    settledUsd: usd("settled_usd").notNull().default(sql`default`),
    settledModelCalls: whole("settled_model_calls").notNull().default(sql`default`),
    settledToolCalls: whole("settled_tool_calls").notNull().default(sql`default`),
    reservedTokens: whole("reserved_tokens").notNull().default(sql`default`),
    reservedUsd: usd("reserved_usd").notNull().default(sql`default`),
    reservedModelCalls: whole("reserved_model_calls").notNull().default(sql`default`),
    overrunTokens: whole("overrun_tokens").notNull().default(sql`default`),
    overrunUsd: usd("overrun_usd").notNull().default(sql`default`),
    beganAt: time("began_at"),
    capsChangedAt: time("caps_changed_at"),
    updatedAt: time("updated_at").notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.scope, table.scopeId] })],
);

export const reservation = baton.table(
  "reservation",
  {
    tenantId: uuid("tenant_id").notNull(),
    reservationId: uuid("reservation_id").notNull(),
    taskId: uuid("task_id"),
    stepId: uuid("step_id"),
    attemptNo: integer("attempt_no"),
    rootTaskId: uuid("root_task_id"),
    day: date("day").notNull(),
    kind: text("kind").notNull(),
    provider: text("provider"),
    model: text("model"),
    offline: boolean("offline").notNull(),
    state: text("state").notNull(),
    reservedTokens: whole("reserved_tokens").notNull(),
    reservedUsd: usd("reserved_usd").notNull(),
    capped: boolean("capped").notNull(),
    inputTokens: whole("input_tokens"),
    outputTokens: whole("output_tokens"),
    costUsd: usd("cost_usd"),
    estimated: boolean("estimated").notNull().default(sql`default`),
    priced: boolean("priced").notNull(),
    createdAt: time("created_at").notNull(),
    settledAt: time("settled_at"),
    cachedTokens: whole("cached_tokens"),
    cacheWriteTokens: whole("cache_write_tokens"),
  },
  (table) => [primaryKey({ columns: [table.reservationId, table.tenantId] })],
);

export const spending = baton.table(
  "spending",
  {
    tenantId: uuid("tenant_id").notNull(),
    day: date("day").notNull(),
    provider: text("provider").notNull(),
    model: text("model").notNull(),
    calls: whole("calls").notNull(),
    inputTokens: whole("input_tokens").notNull(),
    outputTokens: whole("output_tokens").notNull(),
    costUsd: usd("cost_usd").notNull(),
    estimatedCalls: whole("estimated_calls").notNull(),
    lostCalls: whole("lost_calls").notNull(),
    unpricedCalls: whole("unpriced_calls").notNull(),
    overrunTokens: whole("overrun_tokens").notNull(),
    overrunUsd: usd("overrun_usd").notNull(),
    cachedTokens: whole("cached_tokens").notNull().default(sql`default`),
    cacheWriteTokens: whole("cache_write_tokens").notNull().default(sql`default`),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.day, table.provider, table.model] })],
);
