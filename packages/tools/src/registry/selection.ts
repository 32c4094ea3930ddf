import type { ToolPort } from "@baton/core/ports";
import { unknownTool } from "./registry.ts";

/**
 * The same tools, restricted to `allow`: exact names, or `<prefix>.*` for everything below a prefix.
 * Throws `unknown-tool` when an entry names nothing. What a source adds later below an allowed prefix is allowed.
 */
export function selectTools(tools: ToolPort, allow: readonly string[]): ToolPort {
  const names = new Set(allow.filter((entry) => !entry.endsWith(".*")));
  const prefixes = allow.filter((entry) => entry.endsWith(".*")).map((entry) => entry.slice(0, -1));
  for (const name of names) tools.find(name);
  for (const prefix of prefixes) {
    if (!tools.list().some((tool) => tool.name.startsWith(prefix))) throw unknownTool(`${prefix}*`, tools.list());
  }
  const isAllowed = (name: string): boolean => names.has(name) || prefixes.some((prefix) => name.startsWith(prefix));
  const list = () => tools.list().filter((tool) => isAllowed(tool.name));
  const check = (name: string): void => {
    if (!isAllowed(name)) throw unknownTool(name, list());
  };
  return {
    list,
    find: (name) => {
      check(name);
      return tools.find(name);
    },
    run: async (name, args, call) => {
      check(name);
      return tools.run(name, args, call);
    },
    reconcile: async (name, args, call) => {
      check(name);
      return tools.reconcile === undefined ? { outcome: "unknown" } : tools.reconcile(name, args, call);
    },
  };
}
