/**
 * One model, as every decision of this room calls it.
 *
 * 1. A provider's error passes through unchanged: the step's retry policy is the only retry layer.
 * 2. Every trace row is told when it happens and kept for the answer, so that a failed decision has its account too.
 */
import type { BatonEvent } from "@baton/core/events";
import type { Budget } from "@baton/core/context";
import { createBudget } from "@baton/core/context";
import type { ModelRef } from "@baton/core/plan";
import type { ModelPort, ModelReply, ModelRequest } from "@baton/core/ports";

export type Generate = (purpose: string, request: Omit<ModelRequest, "signal">) => Promise<ModelReply>;

export interface ModelOptions {
  readonly models: ModelPort;
  /** Absent: the port's default. Aliases are resolved. */
  readonly model?: ModelRef | undefined;
  /** Tokens of one prompt at the most; default 100,000. */
  readonly contextWindowLimit?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told about every trace row when it happens, also when the decision fails in the end. */
  readonly trace?: ((event: BatonEvent) => void) | undefined;
  /** Carries the calls of an attempt, which keeps their account itself; absent: the port, with a `model-called` row a call. */
  readonly generate?: Generate | undefined;
}

export interface ModelAccess {
  readonly models: ModelPort;
  readonly model: ModelRef;
  readonly budget: Budget;
  readonly generate: Generate;
  readonly traces: readonly BatonEvent[];
  record(event: BatonEvent): void;
}

const never = new AbortController().signal;

/** @throws BatonError unknown-model */
export function openModel(options: ModelOptions): ModelAccess {
  const { models, signal = never } = options;
  const model = models.resolve(options.model);
  const traces: BatonEvent[] = [];
  const record = (event: BatonEvent): void => {
    traces.push(event);
    options.trace?.(event);
  };
  const direct: Generate = async (purpose, request) => {
    const reply = await models.generate({ ...request, signal });
    record(modelCalled(purpose, reply));
    return reply;
  };
  return {
    models,
    model,
    budget: createBudget(models, model, options.contextWindowLimit ?? 100_000, signal),
    generate: options.generate ?? direct,
    traces,
    record,
  };
}

function modelCalled(purpose: string, { model, offline, costUsd, durationMs, usage }: ModelReply): BatonEvent {
  const { inputTokens, outputTokens, estimated } = usage;
  return {
    type: "model-called",
    data: { purpose, model, offline, inputTokens, outputTokens, estimated, costUsd, durationMs },
  };
}
