/** The tools of a process: the built-in ones, its owner's, and those of the tools folder, reloaded when it changes. */
import type { Config } from "@baton/config";
import type { LogPort } from "@baton/core/ports";
import { createBuiltinTools, createToolRegistry, loadToolsFolder, watchToolsFolder } from "@baton/tools";
import type { Tool, ToolRegistry } from "@baton/tools";
import type { Closers } from "./closers.ts";

type OnLate = NonNullable<NonNullable<Parameters<typeof createToolRegistry>[0]>["onLate"]>;

export interface ToolsOptions {
  readonly config: Config;
  readonly log: LogPort;
  readonly own: readonly Tool[];
  readonly onLate: OnLate;
}

export async function openTools({ config, log, own, onLate }: ToolsOptions, closers: Closers): Promise<ToolRegistry> {
  const fixed = [
    ...createBuiltinTools({ http: { allowHosts: config.http.allowHosts }, workspaces: config.worker.workspaces }),
    ...own,
  ];
  const folder = config.worker.toolsFolder;
  const found = folder === undefined ? [] : await loadToolsFolder(folder);
  const registry = createToolRegistry({ tools: [...fixed, ...found], onLate });
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
