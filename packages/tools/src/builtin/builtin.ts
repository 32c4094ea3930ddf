/**
 * The tools that every worker has.
 *
 * Purpose: read the workspace, keep artifacts, search, fetch, tell the time. Boundary: names and
 * shapes are relied upon by plans that are already stored; a changed meaning is a new name.
 *
 * 1. A file tool sees only the call's workspace; nothing is written there.
 * 2. Every outbound request goes through the guarded client.
 * 3. Outputs are text that a jsonb column takes; what was repaired for that stands in `warnings`.
 */
import type { Tool } from "../definition/define.ts";
import { createGuardedHttp, type GuardedHttpOptions } from "../http/client.ts";
import { readArtifact, writeArtifact } from "./artifacts.ts";
import { clockNow } from "./clock.ts";
import { fileTools } from "./files.ts";
import { httpTools } from "./http.ts";
import { searchText } from "./text.ts";

export interface BuiltinToolsOptions {
  readonly http?: GuardedHttpOptions;
  /** The folders that a task may name as its workspace, with all below them; undefined allows any. */
  readonly workspaces?: readonly string[];
}

export function createBuiltinTools(options: BuiltinToolsOptions = {}): readonly Tool[] {
  const http = createGuardedHttp(options.http);
  return [...fileTools(options.workspaces), searchText, writeArtifact, readArtifact, ...httpTools(http), clockNow];
}
