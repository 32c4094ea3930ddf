/** The providers that the configuration names, as packages/llm wants them, and the model used where none is named. */
import { BatonError } from "@baton/core";
import type { ModelRef } from "@baton/core/plan";
import type { Config } from "./schema.ts";

const anthropicDefault = "claude-sonnet-5-5";

export interface ModelSettings {
  readonly providers: {
    readonly anthropic?: { readonly apiKey: string; readonly baseUrl?: string };
    readonly openaiCompatible: readonly {
      readonly name: string;
      readonly baseUrl: string;
      readonly apiKey?: string;
      readonly models: readonly string[];
      readonly structuredOutput: boolean;
    }[];
    readonly offline: { readonly latencyMs: number };
  };
  readonly defaultModel: ModelRef;
  readonly streamIdleMs: number;
}

export function modelSettings({ models }: Config): ModelSettings {
  const { apiKey, baseUrl } = models.anthropic;
  return {
    providers: {
      ...(apiKey !== undefined && { anthropic: { apiKey, ...(baseUrl !== undefined && { baseUrl }) } }),
      openaiCompatible: models.openaiCompatible.map(({ apiKey: key, ...provider }) => ({
        ...provider,
        ...(key !== undefined && { apiKey: key }),
      })),
      offline: { latencyMs: models.offlineLatencyMs },
    },
    defaultModel: defaultModel(models),
    streamIdleMs: models.streamIdleMs,
  };
}

/** Anthropic when it has a key, else the first server that is configured, else offline. */
function defaultModel({ default: named, anthropic, openaiCompatible }: Config["models"]): ModelRef {
  if (named !== undefined) {
    const slash = named.indexOf("/");
    return { provider: named.slice(0, slash), model: named.slice(slash + 1) };
  }
  if (anthropic.apiKey !== undefined) return { provider: "anthropic", model: anthropicDefault };
  const [server] = openaiCompatible;
  const [model] = server?.models ?? [];
  if (server !== undefined && model !== undefined) return { provider: server.name, model };
  return { provider: "offline", model: "offline-rules" };
}

/** The URL of PostgreSQL; never one that nobody named. */
export function requireDatabaseUrl({ databaseUrl }: Config): string {
  if (databaseUrl !== undefined) return databaseUrl;
  throw new BatonError(
    "invalid-configuration",
    'databaseUrl (DATABASE_URL) is not set. Name a PostgreSQL, like postgres://user:password@host:5432/baton, or use "npm run dev", which brings its own.',
  );
}
