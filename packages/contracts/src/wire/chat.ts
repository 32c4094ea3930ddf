/** Chat and orchestrate, with the field names that users of this system know. */
import { modelRef } from "@baton/core/plan";
import { z } from "zod";
import { count, goal, threadId, timestamp, uuid } from "./scalars.ts";

const textPart = z.strictObject({
  type: z.literal("text"),
  text: z.string().max(200_000),
  state: z.enum(["streaming", "done"]).optional(),
});
const filePart = z.strictObject({
  type: z.literal("file"),
  mediaType: z.string().min(1).max(200),
  url: z.string().min(1).max(700_000),
  filename: z.string().max(500).optional(),
});
const message = z.strictObject({
  id: z.string().min(1).max(200).optional(),
  role: z.literal("user"),
  parts: z
    .array(z.discriminatedUnion("type", [textPart, filePart]))
    .min(1)
    .max(200),
  metadata: z.record(z.string(), z.unknown()).optional(),
});

const mention = z.strictObject({
  type: z.enum(["tool", "mcpTool", "mcpServer"]),
  name: z.string().min(1).max(200),
  serverId: z.string().min(1).max(200).optional(),
  description: z.string().max(4_000).optional(),
});
export type Mention = z.infer<typeof mention>;

const attachment = z.strictObject({
  name: z.string().min(1).max(500).optional(),
  mediaType: z.string().min(1).max(200),
  url: z.string().min(1).max(700_000),
});

const capabilities = {
  chatModel: modelRef.optional(),
  mentions: z.array(mention).max(200).optional(),
  allowedMcpServers: z
    .record(z.string().min(1).max(200), z.strictObject({ tools: z.array(z.string().min(1).max(200)).max(500) }))
    .optional(),
  attachments: z.array(attachment).max(50).optional(),
};

export const chatBody = z.strictObject({
  id: threadId,
  message,
  toolChoice: z.enum(["auto", "none", "manual"]).default("auto"),
  ...capabilities,
});
export type ChatBody = z.infer<typeof chatBody>;

export const escalatedReply = z.strictObject({
  id: z.string(),
  role: z.literal("assistant"),
  content: z.string(),
  taskId: uuid,
  orchestrated: z.literal(true),
});

export const stopAnswer = z.strictObject({ id: z.string(), cancelled: z.array(uuid) });

export const orchestrateBody = z.strictObject({ goal, threadId: threadId.optional(), ...capabilities });

/** The states users of this endpoint know; packages/contracts maps every task state to one. */
export const orchestrationStatus = z.enum([
  "queued",
  "planning",
  "running",
  "waiting",
  "paused",
  "failed",
  "completed",
  "cancelled",
]);
export const orchestrationStepStatus = z.enum([
  "pending",
  "running",
  "waiting",
  "failed",
  "completed",
  "skipped",
  "cancelled",
]);

export const orchestrated = z.strictObject({
  taskId: uuid,
  status: z.literal("queued"),
  strategy: z.strictObject({
    steps: z.array(
      z.strictObject({
        id: z.string(),
        description: z.string(),
        type: z.string(),
        dependsOn: z.array(z.string()),
      }),
    ),
    totalSteps: count,
  }),
  estimatedDuration: z.number().min(0).nullable().meta({ description: "Seconds; null while there is no plan." }),
});

export const orchestrationQuery = z.strictObject({ taskId: uuid });

export const orchestration = z.strictObject({
  taskId: uuid,
  status: orchestrationStatus,
  goal: z.string(),
  progress: z.int().min(0).max(100),
  currentStep: count.meta({ description: "Index of the first step that is not settled; totalSteps when all are." }),
  totalSteps: count,
  steps: z.array(
    z.strictObject({
      index: z.string().meta({ description: "0, 1, … in numeric order." }),
      description: z.string(),
      status: orchestrationStepStatus,
    }),
  ),
  latestTraces: z.array(z.strictObject({ type: z.string(), message: z.string(), timestamp })),
  lastError: z.string().optional(),
  createdAt: timestamp,
  updatedAt: timestamp,
  completedAt: timestamp.optional(),
});
export type Orchestration = z.infer<typeof orchestration>;

export const orchestrationCancelled = z.strictObject({ taskId: uuid, status: z.literal("cancelled") });
