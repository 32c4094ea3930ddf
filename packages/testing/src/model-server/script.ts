/**
 * What the scripted model server answers, as data: a script is JSON except for `handler`.
 *
 * A request takes the first rule that matches it, else the next reply of the queue, else `fallback`,
 * else the handler's answer; with none of them the server answers 500 naming the request.
 */
export type Wire = "anthropic" | "openai";

/** What goes wrong. `afterChunks` counts text chunks that were sent before it happens. */
export type Fault =
  | { readonly kind: "rate-limit"; readonly retryAfter?: string }
  | { readonly kind: "overloaded" }
  | { readonly kind: "server-error" }
  | { readonly kind: "spend-limit" }
  | { readonly kind: "unauthorized" }
  | { readonly kind: "bad-request"; readonly message?: string }
  | { readonly kind: "context-too-long" }
  | { readonly kind: "reset" }
  | { readonly kind: "hang"; readonly afterChunks?: number }
  | { readonly kind: "error-event"; readonly afterChunks?: number; readonly type?: string; readonly message?: string }
  | { readonly kind: "cut"; readonly afterChunks: number; readonly how?: "reset" | "end" }
  | { readonly kind: "no-finish-reason" }
  | { readonly kind: "empty" }
  | { readonly kind: "refusal" }
  | { readonly kind: "malformed-tool-json" };

export interface ScriptedToolCall {
  readonly name: string;
  readonly input: unknown;
}

export interface ScriptedUsage {
  readonly inputTokens?: number;
  readonly outputTokens?: number;
  readonly cachedInputTokens?: number;
}

export interface ScriptedReply {
  /** The answer's text; with `object` the object's JSON stands in its place. */
  readonly text?: string;
  readonly object?: unknown;
  readonly toolCalls?: readonly ScriptedToolCall[];
  /** How the text is cut into stream chunks; by default one chunk per word. */
  readonly chunks?: readonly string[];
  /** Wait before the first byte. */
  readonly delayMs?: number;
  /** Wait before every chunk. */
  readonly chunkDelayMs?: number;
  readonly usage?: ScriptedUsage;
  /** True when the answer ends because of the token limit. */
  readonly lengthLimited?: boolean;
  readonly fault?: Fault;
  /** Of the answer, beside what the server's limits say. */
  readonly headers?: Readonly<Record<string, string>>;
}

export interface ScriptedRule {
  /** Every text must occur in the request body's JSON. */
  readonly contains?: string | readonly string[];
  readonly model?: string;
  readonly reply: ScriptedReply;
  /** How often the rule answers; absent = always. */
  readonly times?: number;
}

/** Tokens of one input. */
export interface CachedInput {
  readonly read: number;
  readonly written: number;
  readonly fresh: number;
}

/** One request as the server saw it. `body` is the parsed JSON. */
export interface ModelServerRequest {
  readonly no: number;
  readonly at: number;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Readonly<Record<string, unknown>>;
  readonly wire: Wire;
  readonly stream: boolean;
  /** Set where the request asks for its beginning to be kept. */
  readonly cached: CachedInput | undefined;
  /** "answered" once the last byte was sent; "aborted" when the client closed its socket before. */
  outcome: "open" | "answered" | "aborted" | "broken";
  endedAt: number | undefined;
}

/** Per minute, as buckets that fill up all the time. */
export interface ScriptedLimits {
  readonly requests?: number;
  readonly inputTokens?: number;
  readonly outputTokens?: number;
  /** What of each is there at the start, from 0 to 1; default 1. */
  readonly filled?: number;
}

export interface ModelServerScript {
  readonly rules?: readonly ScriptedRule[];
  readonly replies?: readonly ScriptedReply[];
  readonly fallback?: ScriptedReply;
  readonly handler?: (request: ModelServerRequest) => ScriptedReply | Promise<ScriptedReply>;
  /** Of the named models, as their provider would keep them. */
  readonly limits?: Readonly<Record<string, ScriptedLimits>>;
  /** Answer of /v1/messages/count_tokens; by default a quarter of the body's characters. */
  readonly countedTokens?: number;
}

export class ScriptReader {
  readonly #script: ModelServerScript;
  readonly #queue: ScriptedReply[];
  readonly #uses = new Map<ScriptedRule, number>();

  constructor(script: ModelServerScript) {
    this.#script = script;
    this.#queue = [...(script.replies ?? [])];
  }

  push(...replies: readonly ScriptedReply[]): void {
    this.#queue.push(...replies);
  }

  countedTokens(body: unknown): number {
    return this.#script.countedTokens ?? Math.ceil(JSON.stringify(body).length / 4);
  }

  async next(request: ModelServerRequest): Promise<ScriptedReply | undefined> {
    const rule = (this.#script.rules ?? []).find((candidate) => this.#matches(candidate, request));
    if (rule !== undefined) {
      this.#uses.set(rule, (this.#uses.get(rule) ?? 0) + 1);
      return rule.reply;
    }
    return this.#queue.shift() ?? this.#script.fallback ?? (await this.#script.handler?.(request));
  }

  #matches(rule: ScriptedRule, request: ModelServerRequest): boolean {
    if (rule.times !== undefined && (this.#uses.get(rule) ?? 0) >= rule.times) return false;
    if (rule.model !== undefined && request.body["model"] !== rule.model) return false;
    const texts = rule.contains === undefined ? [] : [rule.contains].flat();
    const body = JSON.stringify(request.body);
    return texts.every((text) => body.includes(text) || body.includes(JSON.stringify(text).slice(1, -1)));
  }
}

/** The text of a reply, and its stream chunks. */
export function replyText(reply: ScriptedReply): string {
  if (reply.fault?.kind === "empty") return "";
  if (reply.chunks !== undefined && reply.text === undefined && reply.object === undefined)
    return reply.chunks.join("");
  return reply.object === undefined ? (reply.text ?? "") : JSON.stringify(reply.object);
}

export function replyChunks(reply: ScriptedReply): readonly string[] {
  if (reply.fault?.kind === "empty") return [];
  return reply.chunks ?? replyText(reply).match(/\s*\S+\s*/g) ?? [];
}
