export { effectiveConfig } from "./effective.ts";
export type { EffectiveSetting } from "./effective.ts";
export { modelSettings, requireDatabaseUrl } from "./models.ts";
export type { ModelSettings } from "./models.ts";
export { mcpServers } from "./mcp-servers.ts";
export type { McpHttpServer, McpServerSettings, McpStdioServer } from "./mcp-servers.ts";
export { loadConfig } from "./load.ts";
export type { ConfigPlace, LoadedConfig } from "./load.ts";
export type { Config } from "./schema.ts";
