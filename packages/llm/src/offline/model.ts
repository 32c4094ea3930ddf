/**
 * The offline model: fixed rules that work on what a request carries.
 *
 * Purpose: a system that plans, reads and reports without any key, and tests that need no network.
 * Boundary: reads `brief` and `outputSchema`, and of the messages what an agent's calls came to; no clock but the one
 * handed in.
 *
 * 1. Deterministic: the same request gives the same reply.
 * 2. Extractive: it quotes, counts and compares; it never writes a sentence about the material.
 * 3. Labelled: every text starts with `[offline model]`, and `reply.offline` is true.
 * 4. What it cannot do is an error (`offline-cannot-plan`, `offline-cannot-answer`), never a guess.
 */
import { setTimeout as wait } from "node:timers/promises";
import type { ModelReply, ModelRequest } from "@baton/core/ports";
import type { ModelEntry } from "../catalogue/entry.ts";
import { estimateTextTokens, estimateTokens } from "../tokens.ts";
import { decide } from "./decide.ts";
import { evaluate } from "./evaluate.ts";
import { offlineRef } from "./label.ts";
import { workloadOf } from "./material.ts";
import { answerObject } from "./objects.ts";
import { planGoal } from "./plan.ts";
import { answerText } from "./reason.ts";
import { reply } from "./reply.ts";
import { agentTurn } from "./agent.ts";
import { condense } from "./condense.ts";

export const offlineEntry: ModelEntry = {
  id: offlineRef.model,
  contextWindow: 200_000,
  maxOutputTokens: 8_000,
  price: null,
};

export interface OfflineOptions {
  /** How long an answer takes; so that a demo looks like work and a test can interrupt it. */
  readonly latencyMs: number;
}

export interface OfflineModel {
  generate(request: ModelRequest): Promise<ModelReply>;
}

export function createOfflineModel(options: OfflineOptions, now: () => number): OfflineModel {
  return {
    async generate(request) {
      const startedAt = now();
      request.signal.throwIfAborted();
      const answer = answerTo(request);
      const pieces =
        request.onDelta === undefined ? [] : (answer.text.match(/[\s\S]{1,80}(?=\s|$)|[\s\S]{1,80}/g) ?? []);
      await pause(options.latencyMs / (pieces.length + 1), request.signal);
      for (const piece of pieces) {
        request.onDelta?.(piece);
        await pause(options.latencyMs / (pieces.length + 1), request.signal);
      }
      return {
        ...answer,
        finishReason: answer.toolCalls === undefined ? "stop" : "tool-calls",
        usage: {
          inputTokens: estimateTokens(request.messages),
          outputTokens: estimateTextTokens(answer.text),
          cachedInputTokens: 0,
          estimated: true,
        },
        costUsd: 0,
        model: offlineRef,
        offline: true,
        durationMs: now() - startedAt,
      };
    },
  };
}

function answerTo(request: ModelRequest): Answer {
  const { brief, outputSchema: schema } = request;
  switch (brief.kind) {
    case "decide":
      return asJson(decide(brief.message));
    case "plan":
      return asJson(planGoal(brief));
    case "evaluate":
      return asJson(evaluate(brief.steps));
    case "reply":
      return { text: reply(brief.message) };
    case "agent":
      return agentTurn(request);
    case "summarize":
      return { text: condense(brief) };
    case "reason": {
      const workload = workloadOf(brief.instruction, brief.material);
      return schema === undefined
        ? { text: answerText(brief.goal, workload) }
        : asJson(answerObject(schema, brief.goal, workload));
    }
  }
}

type Answer = Pick<ModelReply, "text" | "object" | "toolCalls">;

const asJson = (object: unknown): { text: string; object: unknown } => ({ text: JSON.stringify(object), object });

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (ms <= 0) return;
  try {
    await wait(ms, undefined, { signal });
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  }
}
