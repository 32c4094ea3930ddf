export { type BuiltinToolsOptions, createBuiltinTools } from "./builtin/builtin.ts";
export { defineTool, type Tool, type ToolDefinition } from "./definition/define.ts";
export { loadToolsFolder } from "./folder/load.ts";
export { type ToolsFolderWatch, watchToolsFolder } from "./folder/watch.ts";
export { createGuardedHttp, type GuardedHttp, type GuardedHttpOptions } from "./http/client.ts";
export { createToolRegistry, type ToolRegistry } from "./registry/registry.ts";
export { selectTools } from "./registry/selection.ts";
export type { ToolSource } from "./registry/source.ts";
