import type { ToolEffect } from "@baton/core/ports";

interface CommonSettings {
  /** Its tools are named `<name>.<tool>`. */
  readonly name: string;
  /** What an operator says of its tools, by the names that the server gives them. */
  readonly tools: Readonly<Record<string, { readonly effect?: ToolEffect | undefined; readonly disabled: boolean }>>;
  readonly startTimeoutMs: number;
  /** Of a call, without an answer or progress. */
  readonly idleTimeoutMs: number;
  /** A list that is older is asked for again before a call. */
  readonly relistMs: number;
  readonly protocol: "legacy" | "auto";
}

export interface StdioServerSettings extends CommonSettings {
  readonly command: string;
  readonly args: readonly string[];
  /** Values may name secrets, as `${secret:NAME}`. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string | undefined;
}

export interface HttpServerSettings extends CommonSettings {
  readonly url: string;
  /** Values may name secrets, as `${secret:NAME}`. */
  readonly headers: Readonly<Record<string, string>>;
}

export type McpServerSettings = StdioServerSettings | HttpServerSettings;
