/**
 * The catalogue of servers' tools, as the room needs it: kept outside any process, so that one that never starts a server
 * knows what there is.
 */
import type { ToolEffect } from "@baton/core/ports";
import type { ListedTool } from "./listing.ts";

/** `changed`: the server says something else of it than what was accepted. `gone`: it no longer lists it. */
export type McpToolState = "accepted" | "changed" | "refused" | "gone";

export interface CataloguedTool {
  readonly server: string;
  readonly name: string;
  readonly state: McpToolState;
  /** As accepted; as listed last where nothing was. */
  readonly description: string;
  readonly inputSchema: Readonly<Record<string, unknown>>;
  readonly effect: ToolEffect;
  readonly refusal: string | undefined;
}

export interface McpCatalogue {
  read(servers: readonly string[]): Promise<readonly CataloguedTool[]>;
  /** What a tool is at first sight counts as accepted, unless it is refused. */
  record(server: string, settingsHash: string, tools: readonly ListedTool[]): Promise<void>;
  /** Nothing was listed, for this reason. */
  recordProblem(server: string, settingsHash: string, problem: string): Promise<void>;
  /** Whether a list is known that the server gave under the same settings. */
  isListed(server: string, settingsHash: string): Promise<boolean>;
}
