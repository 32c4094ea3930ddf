/**
 * The port to tools.
 *
 * Purpose: what the executor needs to run a tool, whatever its origin (built in, user's, MCP).
 * Boundary: the effect ledger lives on the executor's side; a tool only gets its idempotency key.
 */
import type { ToolSummary } from "./model.ts";

/** What a tool says it does to the outside world; decides what happens after an unknown outcome. */
export const toolEffects = ["read", "idempotent", "write", "irreversible"] as const;
export type ToolEffect = (typeof toolEffects)[number];

/** An artifact as a tool hands it over; `content` at most 32 MB. */
export interface ArtifactDraft {
  readonly name: string;
  readonly mediaType: string;
  readonly content: Uint8Array;
}

export interface ArtifactRef {
  readonly artifactId: string;
  readonly name: string;
  readonly mediaType: string;
  readonly sizeBytes: number;
}

export interface ToolCall {
  readonly tenantId: string;
  readonly taskId: string;
  readonly stepId: string;
  readonly attemptNo: number;
  /** `<step>-<call>`: equal on every attempt of the same call. */
  readonly idempotencyKey: string;
  readonly signal: AbortSignal;
  /** Unix ms after which the attempt is ended. */
  readonly deadlineAt: number;
  /** The folder the task may read; undefined when the task has none. */
  readonly workspace: string | undefined;
  readonly progress: (message: string) => void;
  readonly writeArtifact: (draft: ArtifactDraft) => Promise<ArtifactRef>;
  readonly readArtifact: (artifactId: string) => Promise<{ readonly ref: ArtifactRef; readonly content: Uint8Array }>;
  readonly now: () => number;
}

/** A tool's answer to "did the call in doubt happen?"; `output` is what the call would have returned. */
export type ToolReconciliation<O = unknown> =
  | { readonly outcome: "done"; readonly output: O }
  | { readonly outcome: "not-done" }
  | { readonly outcome: "unknown" };

export interface ToolPort {
  list(): readonly ToolSummary[];
  /** Throws `unknown-tool` or `tool-disabled`. */
  find(name: string): ToolSummary;
  /**
   * Validates the arguments, runs the tool and validates its output. Throws `tool-input-invalid`
   * (nothing was done), TerminalError/RetryAfter of the tool, or `tool-failed` with the cause.
   * `details.sent: false` says that nothing left this process; `true`, that something did.
   */
  run(name: string, args: unknown, call: ToolCall): Promise<unknown>;
  /**
   * Reads what other processes found or people accepted of these tools, or of all; what came before the call is known
   * when it resolves. Undefined: nothing had to be read.
   */
  refresh?(names?: readonly string[]): Promise<void> | undefined;
  /** Tools that exist and may not be called now, with the reason; they are not listed. */
  disabled?(): readonly { readonly name: string; readonly why: string }[];
  /** Asked after an unknown outcome, with the same arguments and key; "unknown" when the tool cannot tell. */
  reconcile?(name: string, args: unknown, call: ToolCall): Promise<ToolReconciliation>;
}
