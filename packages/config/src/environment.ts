/**
 * The environment variables, with the setting each one stands for.
 *
 * 1. A variable that is set to nothing counts as not set.
 * 2. A word that is no number or no truth value stays a text, so that the schema names it.
 */
export interface Variable {
  readonly path: string;
  readonly kind: "text" | "number" | "boolean" | "list";
}

export const variables: Readonly<Record<string, Variable>> = {
  DATABASE_URL: { path: "databaseUrl", kind: "text" },
  REDIS_URL: { path: "redisUrl", kind: "text" },
  BATON_DATA: { path: "dataFolder", kind: "text" },
  BATON_LOG_LEVEL: { path: "logLevel", kind: "text" },
  BATON_MAX_STEPS: { path: "task.maxSteps", kind: "number" },
  BATON_CONTEXT_WINDOW_LIMIT: { path: "task.contextWindowLimit", kind: "number" },
  BATON_CHECKPOINT_INTERVAL: { path: "task.checkpointInterval", kind: "number" },
  BATON_MAX_PLAN_REVISIONS: { path: "task.maxPlanRevisions", kind: "number" },
  BATON_MAX_TOKENS: { path: "task.maxTokens", kind: "number" },
  BATON_CONCURRENCY: { path: "worker.concurrency", kind: "number" },
  BATON_ISOLATED_CONCURRENCY: { path: "worker.isolatedConcurrency", kind: "number" },
  BATON_POOLS: { path: "worker.pools", kind: "list" },
  BATON_CONTINUATION: { path: "worker.continuation", kind: "boolean" },
  DISABLE_TASK_WORKER: { path: "worker.disabled", kind: "boolean" },
  BATON_GRACE_MS: { path: "worker.graceMs", kind: "number" },
  BATON_WORKER_HOST: { path: "worker.host", kind: "text" },
  BATON_WORKER_PORT: { path: "worker.port", kind: "number" },
  BATON_WORKSPACES: { path: "worker.workspaces", kind: "list" },
  BATON_TOOLS: { path: "worker.toolsFolder", kind: "text" },
  BATON_LIMITER_MAX: { path: "limiter.max", kind: "number" },
  BATON_LIMITER_DURATION: { path: "limiter.duration", kind: "number" },
  BATON_BEAT_MS: { path: "session.beatMs", kind: "number" },
  BATON_LEASE_MS: { path: "session.leaseMs", kind: "number" },
  BATON_HOST: { path: "api.host", kind: "text" },
  BATON_PORT: { path: "api.port", kind: "number" },
  BATON_AGENTS: { path: "api.agentsFolder", kind: "text" },
  BATON_API_KEY: { path: "api.key", kind: "text" },
  BATON_MODEL: { path: "models.default", kind: "text" },
  BATON_OFFLINE_LATENCY_MS: { path: "models.offlineLatencyMs", kind: "number" },
  BATON_STREAM_IDLE_MS: { path: "models.streamIdleMs", kind: "number" },
  ANTHROPIC_API_KEY: { path: "models.anthropic.apiKey", kind: "text" },
  ANTHROPIC_BASE_URL: { path: "models.anthropic.baseUrl", kind: "text" },
  BATON_MCP_SERVERS: { path: "mcp.serversFile", kind: "text" },
  BATON_HTTP_ALLOW: { path: "http.allowHosts", kind: "list" },
};

export function readVariable(text: string, kind: Variable["kind"]): unknown {
  const word = text.trim();
  switch (kind) {
    case "text":
      return word;
    case "number":
      return word !== "" && Number.isFinite(Number(word)) ? Number(word) : word;
    case "boolean":
      if (["1", "true", "yes", "on"].includes(word.toLowerCase())) return true;
      return ["0", "false", "no", "off"].includes(word.toLowerCase()) ? false : word;
    case "list":
      return word
        .split(",")
        .map((part) => part.trim())
        .filter((part) => part !== "");
  }
}
