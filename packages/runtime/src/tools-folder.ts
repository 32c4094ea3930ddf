/** The tools of a process: the built-in ones, its owner's, those of MCP servers, and those of the tools folder, reloaded when it changes. */
import type { Config } from "@baton/config";
import type { LogPort } from "@baton/core/ports";
import { createBuiltinTools, createToolRegistry, loadToolsFolder, watchToolsFolder } from "@baton/tools";
import type { McpTools, Tool, ToolRegistry } from "@baton/tools";
import type { Closers } from "./closers.ts";

type OnLate = NonNullable<NonNullable<Parameters<typeof createToolRegistry>[0]>["onLate"]>;

export interface ToolsOptions {
  readonly config: Config;
  readonly log: LogPort;
  readonly own: readonly Tool[];
  readonly onLate: OnLate;
  readonly mcp: McpTools;
}

export async function openTools(
  { config, log, own, onLate, mcp }: ToolsOptions,
  closers: Closers,
): Promise<ToolRegistry> {
  const fixed = [
    ...createBuiltinTools({ http: { allowHosts: config.http.allowHosts }, workspaces: config.worker.workspaces }),
    ...own,
  ];
  const folder = config.worker.toolsFolder;
  const found = folder === undefined ? [] : await loadToolsFolder(folder);
  const registry = createToolRegistry({
    tools: [...fixed, ...found],
    sources: mcp.sources,
    refresh: () => mcp.refresh(),
    onLate,
  });
  if (folder === undefined) return registry;
  const watch = await watchToolsFolder(folder, ({ tools, problems }) => {
    for (const error of problems) log.error("tools-folder", { error });
    try {
      registry.replaceTools([...fixed, ...tools]);
    } catch (error) {
      log.error("tools-folder", { error });
    }
  });
  closers.add("tools folder", () => watch.close());
  return registry;
}
