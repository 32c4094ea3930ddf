/** Chat and orchestrate, with the field names that users of this system know. */
import { modelRef } from "@baton/core/plan";
import { approvalRule } from "@baton/core/questions";
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
const messageId = z.string().min(1).max(200);
const metadata = z.record(z.string(), z.unknown()).optional();
const userMessage = z.strictObject({
  id: messageId.optional(),
  role: z.literal("user"),
  parts: z
    .array(z.discriminatedUnion("type", [textPart, filePart]))
    .min(1)
    .max(200),
  metadata,
});

const json = z.unknown().optional();
/** A call as the AI SDK's client holds it; only those in the state `approval-responded` say something new. */
const toolPart = z.strictObject({
  type: z.literal("dynamic-tool"),
  toolCallId: z.string().min(1).max(200),
  toolName: z.string().min(1).max(200),
  state: z.enum([
    "input-streaming",
    "input-available",
    "approval-requested",
    "approval-responded",
    "output-available",
    "output-error",
    "output-denied",
  ]),
  input: json,
  approval: z
    .strictObject({
      id: uuid,
      approved: z.boolean().optional(),
      reason: z.string().max(2_000).optional(),
      ...{ requestReason: json, descriptor: json, inputSchemaInput: json, isAutomatic: json, signature: json },
    })
    .optional(),
  ...{
    output: json,
    errorText: json,
    preliminary: json,
    rawInput: json,
    inputEncoding: json,
    title: json,
    providerExecuted: json,
  },
  ...{ toolMetadata: json, callProviderMetadata: json, resultProviderMetadata: json },
});
/** What the client shows of an answer, handed back with the words of people to its open calls. */
const answeredMessage = z
  .strictObject({
    id: messageId,
    role: z.literal("assistant"),
    parts: z
      .array(
        z.discriminatedUnion("type", [
          toolPart,
          z.strictObject({
            type: z.literal("text"),
            text: z.string(),
            state: json,
            citations: json,
            providerMetadata: json,
          }),
          z.strictObject({ type: z.literal("step-start") }),
          z.strictObject({ type: z.literal("data-task"), id: json, data: json }),
        ]),
      )
      .min(1)
      .max(2_000),
    metadata,
  })
  .meta({ description: "The answer with at least one call in the state `approval-responded`." });
const chatMessage = z.discriminatedUnion("role", [userMessage, answeredMessage]);

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
  workspace: z
    .string()
    .min(1)
    .max(4_000)
    .optional()
    .meta({ description: "The folder that file tools may read, as the workers see it." }),
  approvals: z
    .array(approvalRule)
    .max(50)
    .optional()
    .meta({ description: "Calls of tools that wait for a person, in the answer and in the task that it may become." }),
};

const ifBusyModes = ["revise", "queue", "interrupt", "refuse"] as const;

export const chatBody = z.strictObject({
  id: threadId,
  message: chatMessage,
  toolChoice: z.enum(["auto", "none", "manual"]).default("auto").meta({
    description:
      "`auto`: a model decides between an answer with tools and a task; `none`: an answer without tools; `manual`: an answer whose every call of a tool waits for an approval.",
  }),
  ifBusy: z.enum(ifBusyModes).default("revise").meta({
    description:
      "While the thread works on an earlier message: `revise` makes the message part of the running task's goal (and queues it where there is no plan to revise), `queue` answers it afterwards, `interrupt` cancels what runs, `refuse` answers 409 `thread-busy`.",
  }),
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

export const threadMessages = z.strictObject({
  id: z.string(),
  messages: z
    .array(
      z.strictObject({
        id: z.string(),
        role: z.enum(["user", "assistant"]),
        parts: z.array(z.record(z.string(), json)),
        metadata: z.strictObject({ createdAt: timestamp, taskId: uuid.optional() }),
      }),
    )
    .meta({ description: "The last 200, oldest first, as the AI SDK's client takes them." }),
  active: z.boolean().meta({ description: "The thread works on something: GET …/stream follows it." }),
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

/** What the part `data-task` of a UI stream says. */
export const taskPart = orchestration.extend({
  steps: z.array(
    z.strictObject({
      index: z.string(),
      description: z.string(),
      status: orchestrationStepStatus,
      text: z.string().optional().meta({ description: "The end of what the running step is writing." }),
    }),
  ),
});
export type TaskPart = z.infer<typeof taskPart>;

export const orchestrationCancelled = z.strictObject({ taskId: uuid, status: z.literal("cancelled") });
