/**
 * The models of one process behind core's ModelPort.
 *
 * Purpose: choose the provider by `ModelRef`, resolve old names, count, price and carry the call.
 * Boundary: the only room with the AI SDK and the Anthropic SDK; prompts are rendered elsewhere.
 *
 * 1. No retry and no fallback to another model happens here.
 * 2. Every network call waits for `limiter.acquire`, and every call of a model passes the gate (gated.ts), once.
 * 3. A provider that is not configured is unknown: `unknown-model` names what is known.
 * 4. No SDK is loaded before the first call that needs it.
 */
import { BatonError } from "@baton/core";
import type { ModelRef } from "@baton/core/plan";
import type { ModelPort, ProviderGate } from "@baton/core/ports";
import { besideMessages, boundOf } from "./bound.ts";
import { builtInAliases } from "./catalogue/aliases.ts";
import { anthropicModels } from "./catalogue/anthropic.ts";
import type { ModelEntry } from "./catalogue/entry.ts";
import { offlineRef } from "./offline/label.ts";
import { createOfflineModel, offlineEntry } from "./offline/model.ts";
import { createGatedCalls, keyOf } from "./gated.ts";
import type { CallTarget } from "./providers/call.ts";
import { failureError, readFailure } from "./providers/failure.ts";
import { once } from "./providers/once.ts";
import { anthropicWire, type Fetch, openAiWire } from "./providers/text-stream.ts";
import { createAnthropicCounter, estimateTokens, type TokenCounter } from "./tokens.ts";

/** Shared by every caller of one account; the composition root wires it. */
export interface ModelLimiter {
  /** Resolves when a call may go out; rejects with the abort reason. */
  acquire(ref: ModelRef, signal: AbortSignal): Promise<void>;
}

export interface AnthropicOptions {
  readonly apiKey: string;
  /** Without `/v1`, e.g. `https://api.anthropic.com`. */
  readonly baseUrl?: string;
  /** Models the catalogue does not know yet, or knows wrongly. */
  readonly models?: readonly ModelEntry[];
}

export interface OpenAiCompatibleOptions {
  /** The provider's name in model references. */
  readonly name: string;
  /** With its version, e.g. `http://127.0.0.1:11434/v1`. */
  readonly baseUrl: string;
  readonly apiKey?: string;
  /** A bare id has a window of 8,192 tokens and no price. */
  readonly models: readonly (string | ModelEntry)[];
  /** False for servers without `response_format: json_schema`. */
  readonly structuredOutput?: boolean;
}

export interface ModelsOptions {
  readonly providers: {
    readonly anthropic?: AnthropicOptions;
    readonly openaiCompatible?: readonly OpenAiCompatibleOptions[];
    readonly offline?: { readonly latencyMs: number };
  };
  readonly defaultModel: ModelRef;
  /** Keyed `provider/model`; goes before the built-in ones. */
  readonly aliases?: Readonly<Record<string, ModelRef>>;
  readonly limiter?: ModelLimiter;
  /** Absent: calls go whenever they are asked for. */
  readonly gate?: ProviderGate;
  /** A stream that sends nothing for so long is cut; default 120,000. */
  readonly streamIdleMs?: number;
  /** Unix ms. */
  readonly now: () => number;
}

interface Provider {
  readonly entries: ReadonlyMap<string, ModelEntry>;
  readonly target: (entry: ModelEntry) => Promise<CallTarget>;
  readonly counter?: TokenCounter;
}

/** Providers that send anything at all while they think send it every few seconds. */
const usualIdleMs = 120_000;

export function createModels(options: ModelsOptions): ModelPort {
  const providers = createProviders(options.providers);
  const offline =
    options.providers.offline === undefined ? undefined : createOfflineModel(options.providers.offline, options.now);
  const pace = (ref: ModelRef, signal: AbortSignal) => options.limiter?.acquire(ref, signal) ?? Promise.resolve();
  const gated = createGatedCalls({ gate: options.gate, pace, now: options.now });
  const callOptions = { now: options.now, idleMs: options.streamIdleMs ?? usualIdleMs };
  const isOffline = (ref: ModelRef): boolean => keyOf(ref) === keyOf(offlineRef);

  const list = (): ReturnType<ModelPort["list"]> => [
    ...[...providers].flatMap(([provider, { entries }]) =>
      [...entries.values()].map((entry) => ({
        ref: { provider, model: entry.id },
        offline: false,
        contextWindow: entry.contextWindow,
        ...(entry.images !== undefined && { images: entry.images }),
      })),
    ),
    ...(offline === undefined ? [] : [{ ref: offlineRef, offline: true, contextWindow: offlineEntry.contextWindow }]),
  ];

  const resolve = (wanted: ModelRef | undefined): ModelRef => {
    const asked = wanted ?? options.defaultModel;
    const ref = options.aliases?.[keyOf(asked)] ?? builtInAliases[keyOf(asked)] ?? asked;
    const known = isOffline(ref) ? offline !== undefined : providers.get(ref.provider)?.entries.has(ref.model) === true;
    if (known) return { provider: ref.provider, model: ref.model };
    throw new BatonError(
      "unknown-model",
      unknownMessage(
        asked,
        providers,
        list().map(({ ref: each }) => keyOf(each)),
      ),
    );
  };

  const found = (ref: ModelRef): { provider: Provider; entry: ModelEntry } => {
    const provider = providers.get(ref.provider);
    const entry = provider?.entries.get(ref.model);
    if (provider === undefined || entry === undefined)
      throw new Error(`${keyOf(ref)} was resolved but is not configured`);
    return { provider, entry };
  };

  const countTokens: ModelPort["countTokens"] = async (asked, messages, near, signal) => {
    const ref = resolve(asked);
    const counter = near && !isOffline(ref) && !gated.isShut(ref) ? found(ref).provider.counter : undefined;
    if (counter === undefined) return { tokens: estimateTokens(messages), exact: false };
    signal.throwIfAborted();
    await pace(ref, signal);
    signal.throwIfAborted();
    try {
      return { tokens: await counter.count(ref.model, messages, signal), exact: true };
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      throw failureError(readFailure(error, false), ref, options.now);
    }
  };

  return {
    resolve,
    list,
    async generate(asked) {
      const request = { ...asked, model: resolve(asked.model) };
      if (offline !== undefined && isOffline(request.model)) return offline.generate(request);
      const { provider, entry } = found(request.model);
      const [{ callModel }, target] = await Promise.all([import("./providers/call.ts"), provider.target(entry)]);
      return await gated.call(request, (onHead) => {
        request.onSend?.();
        return callModel(target, request, { ...callOptions, onHead });
      });
    },
    async bound(asked, exactly) {
      const request = { ...asked, model: resolve(asked.model) };
      const offlineCall = isOffline(request.model);
      const counted = await countTokens(request.model, request.messages, exactly, request.signal);
      const tokens = counted.tokens + besideMessages(request);
      const entry = offlineCall ? offlineEntry : found(request.model).entry;
      return { ...boundOf(request, entry, { ...counted, tokens }), offline: offlineCall };
    },
    countTokens,
  };
}

function unknownMessage(asked: ModelRef, providers: ReadonlyMap<string, Provider>, known: readonly string[]): string {
  const fix =
    asked.provider === "anthropic" && !providers.has("anthropic")
      ? "The provider anthropic has no API key: set ANTHROPIC_API_KEY."
      : `Known: ${known.slice(0, 30).join(", ")}.`;
  return `model: ${keyOf(asked)} is not known. ${fix}`;
}

function createProviders(options: ModelsOptions["providers"]): ReadonlyMap<string, Provider> {
  const providers = new Map<string, Provider>();
  const add = (name: string, provider: Provider): void => {
    if (name === "" || name === offlineRef.provider || providers.has(name)) {
      throw new BatonError("invalid-configuration", `providers: the name "${name}" is taken. Choose another one.`);
    }
    providers.set(name, provider);
  };
  if (options.anthropic !== undefined) add("anthropic", anthropicProvider(options.anthropic));
  for (const each of options.openaiCompatible ?? []) add(each.name, openAiCompatibleProvider(each));
  return providers;
}

const byId = (entries: readonly ModelEntry[]): ReadonlyMap<string, ModelEntry> =>
  new Map(entries.map((entry) => [entry.id, entry]));

type Model = ReturnType<CallTarget["model"]>;

/** `load` resolves to what makes a model of the SDK, with the `fetch` of one call. */
function targets(
  common: Pick<CallTarget, "wire" | "nativeSchema" | "keepsPrompts">,
  load: () => Promise<(model: string, own: { readonly fetch: Fetch }) => Model>,
): Provider["target"] {
  const loaded = once(load);
  return async (entry) => {
    const make = await loaded();
    return { ...common, entry, model: (fetch) => make(entry.id, { fetch }) };
  };
}

function anthropicProvider(options: AnthropicOptions): Provider {
  const baseUrl = options.baseUrl?.replace(/\/+$/, "").replace(/\/v1$/, "");
  const settings = { apiKey: options.apiKey, ...(baseUrl === undefined ? {} : { baseURL: `${baseUrl}/v1` }) };
  return {
    entries: byId([...anthropicModels, ...(options.models ?? [])]),
    target: targets({ wire: anthropicWire, nativeSchema: true, keepsPrompts: true }, async () => {
      const { createAnthropic } = await import("@ai-sdk/anthropic");
      return (model, own) => createAnthropic({ ...settings, ...own })(model);
    }),
    counter: createAnthropicCounter({ apiKey: options.apiKey, baseUrl }),
  };
}

function openAiCompatibleProvider(options: OpenAiCompatibleOptions): Provider {
  const nativeSchema = options.structuredOutput ?? true;
  const settings = {
    name: options.name,
    baseURL: options.baseUrl.replace(/\/+$/, ""),
    includeUsage: true,
    supportsStructuredOutputs: nativeSchema,
    ...(options.apiKey === undefined ? {} : { apiKey: options.apiKey }),
  };
  const entries = options.models.map(
    (model): ModelEntry => (typeof model === "string" ? { id: model, contextWindow: 8_192, price: null } : model),
  );
  return {
    entries: byId(entries),
    target: targets({ wire: openAiWire, nativeSchema, keepsPrompts: false }, async () => {
      const { createOpenAICompatible } = await import("@ai-sdk/openai-compatible");
      return (model, own) => createOpenAICompatible({ ...settings, ...own })(model);
    }),
  };
}
