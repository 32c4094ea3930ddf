/** The total maps from Baton's states to what the orchestrate endpoint calls them. */
import type { StepState, TaskState } from "@baton/core/lifecycle";
import type { z } from "zod";
import type { orchestrationStatus, orchestrationStepStatus } from "./chat.ts";

export const statusOfTask: Readonly<Record<TaskState, z.infer<typeof orchestrationStatus>>> = {
  pending: "queued",
  planning: "planning",
  running: "running",
  evaluating: "running",
  waiting: "waiting",
  retrying: "running",
  blocked: "waiting",
  paused: "paused",
  compensating: "running",
  failed: "failed",
  completed: "completed",
  cancelled: "cancelled",
};

export const statusOfStep: Readonly<Record<StepState, z.infer<typeof orchestrationStepStatus>>> = {
  pending: "pending",
  ready: "pending",
  running: "running",
  waiting: "waiting",
  failed: "failed",
  completed: "completed",
  skipped: "skipped",
  cancelled: "cancelled",
};
