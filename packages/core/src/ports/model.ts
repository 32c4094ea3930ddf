/**
 * The port to language models.
 *
 * Purpose: what the engine needs of a model, without any vendor's shape. Boundary: rendering of
 * prompts happens in the orchestrator and the executor; adapters (packages/llm) only carry them.
 *
 * 1. An adapter never retries: the step's retry policy is the only retry layer.
 * 2. A reply that was cut (no finish reason, broken stream) is an error, never a success.
 * 3. `offline` is true exactly when no language model took part.
 */
import type { ModelRef } from "../plan/model-ref.ts";

/** A call that the model asks for. Nothing in it is checked: neither that such a tool exists, nor the arguments. */
export interface ModelToolCall {
  /** The provider's; what answers the call names it. */
  readonly id: string;
  readonly tool: string;
  /** JSON; a text when the model wrote something that is none. */
  readonly input: unknown;
}

export interface ModelImage {
  readonly mediaType: string;
  readonly base64: string;
}

export type ModelMessage =
  | { readonly role: "system"; readonly content: string }
  | {
      readonly role: "user";
      readonly content: string;
      /** For models that take them (`list`). */
      readonly images?: readonly ModelImage[];
    }
  | { readonly role: "assistant"; readonly content: string; readonly toolCalls?: readonly ModelToolCall[] }
  /** What became of one call of the assistant's message before it; each of its calls has one. */
  | {
      readonly role: "tool";
      readonly callId: string;
      readonly tool: string;
      readonly content: string;
      readonly isError: boolean;
    };

/** A tool as a model is told of it. */
export type ModelTool = Pick<ToolSummary, "name" | "description" | "inputSchema">;

/** A tool as a planner sees it. `inputSchema` is JSON Schema 2020-12. */
export interface ToolSummary {
  readonly name: string;
  readonly description: string;
  readonly inputSchema: Readonly<Record<string, unknown>>;
  readonly outputSchema?: Readonly<Record<string, unknown>>;
  readonly effect: "read" | "idempotent" | "write" | "irreversible";
  /** True when the tool can say what became of a call in doubt. */
  readonly reconciles?: boolean;
}

/**
 * What the call is about, as data. Real providers ignore it (the prompt says the same in words);
 * the offline model works on it.
 */
export type ModelBrief =
  | { readonly kind: "decide"; readonly message: string }
  | {
      readonly kind: "plan";
      readonly goal: string;
      readonly tools: readonly ToolSummary[];
      readonly maxSteps: number;
      readonly input?: unknown;
    }
  | {
      readonly kind: "reason";
      readonly goal: string;
      readonly instruction: string;
      readonly material: readonly Material[];
    }
  | {
      readonly kind: "summarize";
      readonly goal: string;
      readonly material: readonly Material[];
      readonly maxTokens: number;
    }
  | {
      readonly kind: "evaluate";
      readonly goal: string;
      readonly steps: readonly EvaluatedStep[];
      readonly maxSteps: number;
    }
  | { readonly kind: "agent"; readonly goal: string; readonly instruction: string }
  | { readonly kind: "reply"; readonly message: string; readonly history: readonly ModelMessage[] };

/** One named piece of text the model works on, e.g. an earlier step's output. */
export interface Material {
  readonly name: string;
  readonly text: string;
}

export interface EvaluatedStep {
  readonly id: string;
  readonly description: string;
  readonly state: string;
  readonly preview: string;
}

export interface ModelRequest {
  readonly model: ModelRef;
  readonly brief: ModelBrief;
  readonly messages: readonly ModelMessage[];
  /** JSON Schema of the wanted object; absent = free text. */
  readonly outputSchema?: Readonly<Record<string, unknown>>;
  readonly maxOutputTokens?: number;
  /** What the model may ask for; nothing is called by the adapter. Not together with `outputSchema`. */
  readonly tools?: readonly ModelTool[];
  /** Default `auto`; `none` tells of the tools, for a history that used them, and allows no call. */
  readonly toolChoice?: "auto" | "none";
  readonly signal: AbortSignal;
  /** Called when the request is about to leave: what fails before costs nothing. */
  readonly onSend?: () => void;
  /** Receives text as it arrives; when given, the adapter streams. */
  readonly onDelta?: (text: string) => void;
}

export interface ModelUsage {
  /** All of them, read from a cache or written to one included. */
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cachedInputTokens: number;
  readonly cacheWriteTokens?: number;
  /** True when the provider did not say and the figures are estimates. */
  readonly estimated: boolean;
}

export interface ModelReply {
  readonly text: string;
  /** The parsed object when `outputSchema` was given; not yet validated. */
  readonly object?: unknown;
  readonly finishReason: "stop" | "length" | "refusal" | "tool-calls";
  /** At least one exactly when the finish reason is `tool-calls`. */
  readonly toolCalls?: readonly ModelToolCall[];
  readonly usage: ModelUsage;
  /** US dollars by the price table; null when the model has no price. */
  readonly costUsd: number | null;
  readonly model: ModelRef;
  readonly offline: boolean;
  readonly durationMs: number;
}

/** The most that a call may take, before it is made. */
export interface CallBound {
  /** Resolved. */
  readonly model: ModelRef;
  readonly offline: boolean;
  /** Of everything that is sent: messages, tools, schema. */
  readonly inputTokens: number;
  /** True when the provider counted. */
  readonly exact: boolean;
  /** The longest answer: what the request names, or what the model can write. */
  readonly maxOutputTokens: number;
  /** US dollars of the input and of each output token; null when the model has no price. */
  readonly price: { readonly inputUsd: number; readonly usdPerOutputToken: number } | null;
}

export interface TokenCount {
  readonly tokens: number;
  readonly exact: boolean;
}

export interface ModelPort {
  /** Resolves aliases and checks that the provider and model exist. Throws `unknown-model`. */
  resolve(ref: ModelRef | undefined): ModelRef;
  /** Throws BatonError with a provider-*, output-*, context-too-large or offline-* code, RetryAfter, or the abort reason. */
  generate(request: ModelRequest): Promise<ModelReply>;
  /** Exact where the provider counts and `near` is true, else an estimate. */
  countTokens(
    ref: ModelRef,
    messages: readonly ModelMessage[],
    near: boolean,
    signal: AbortSignal,
  ): Promise<TokenCount>;
  /** Counts and prices a request; `exactly` asks the provider to count, where it does. */
  bound(request: ModelRequest, exactly: boolean): Promise<CallBound>;
  list(): readonly {
    readonly ref: ModelRef;
    readonly offline: boolean;
    readonly contextWindow: number;
    /** Whether messages may hold images. */
    readonly images?: boolean;
  }[];
}
