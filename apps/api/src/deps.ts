/** What the API needs of the world: small ports that compose.ts fills. */
import type { AgentDefinition } from "@baton/core/agent";
import type { BatonEvent } from "@baton/core/events";
import type { LivePort, LogPort, ModelPort, NewTrace, ToolPort, ToolSummary } from "@baton/core/ports";
import type { TaskSettings, TaskSettingsInput } from "@baton/core/task";
import type { ModelRef, PlanSpec } from "@baton/core/plan";
import type { ClientStore } from "@baton/store";

export interface Decision {
  readonly orchestrate: boolean;
  readonly confidence: number;
  readonly reasons: readonly string[];
  readonly offline: boolean;
  readonly rule?: string;
  /** Set when a model was asked and gave no usable answer, so that the wording decided. */
  readonly unanswered?: true;
  /** What the decision adds to the account of the task that answers the message. */
  readonly traces: readonly NewTrace[];
}

/** Who asks a model what it decides, and what is told on the way. */
export interface Asking {
  readonly tenantId: string;
  readonly model: ModelRef | undefined;
  readonly signal: AbortSignal;
  /** Told about every trace when it happens, also when there is no answer in the end. */
  readonly trace?: (trace: BatonEvent) => void;
}

export interface ApiDeps {
  readonly store: ClientStore;
  readonly live: LivePort;
  readonly models: Pick<ModelPort, "resolve" | "list">;
  readonly tools: Pick<ToolPort, "list" | "refresh" | "disabled">;
  /** The installation's agents; absent: there are none. */
  readonly agents?: {
    find(name: string): Promise<{ readonly definition: AgentDefinition } | undefined>;
    list(): Promise<{
      readonly agents: readonly { readonly definition: AgentDefinition }[];
      readonly problems: readonly string[];
    }>;
  };
  /** Whether a message is answered at once or becomes a task. */
  readonly decide: (message: string, options: Asking) => Promise<Decision>;
  /** A goal's plan, that nobody runs. */
  readonly decompose: (
    goal: string,
    tools: readonly ToolSummary[],
    options: Asking & { readonly input?: unknown; readonly settings: TaskSettings },
  ) => Promise<{ readonly plan: PlanSpec; readonly offline: boolean; readonly estimatedDurationMs: number }>;
  /** The names of the configured MCP servers; their tools are named `<server>.<tool>`. */
  readonly mcpServers: readonly string[];
  readonly log: LogPort;
  /** This process's figures in Prometheus' text format. */
  readonly metrics: () => Promise<string>;
  /** How long this process's event loop kept everybody waiting lately, in ms. */
  readonly loopLagMs: () => number;
  readonly newId: () => string;
  /** Signs cursors and board logins; equal in every api process of an installation. */
  readonly secret: Uint8Array;
  /** The process's own settings for tasks; a task's own value wins. */
  readonly taskDefaults: TaskSettingsInput;
  readonly workerDisabled: boolean;
  readonly version: string;
  readonly planWaitMs: number;
  readonly heartbeatMs: number;
  /** How often a reader looks when nothing woke it. */
  readonly pollMs: number;
  /** Bull Board behind `/admin/queues`, read-only and not. */
  readonly boards?: Boards;
}

export interface Boards {
  readonly readOnly: { fetch(request: Request): Response | Promise<Response> };
  readonly full: { fetch(request: Request): Response | Promise<Response> };
}
