/**
 * The tools that a worker has.
 *
 * Purpose: one ToolPort over tools made by `defineTool` and over sources of other origin (MCP …).
 * Boundary: knows no origin by name; a new one is a new ToolSource.
 *
 * 1. A name means one tool: duplicates are refused when the registry is made or its tools replaced,
 *    and a source owns every name below `<source>.`.
 * 2. A refused replacement changes nothing.
 * 3. What leaves `run` is a validated output, a steering error, a BatonError, or the caller's abort reason.
 */
import { BatonError } from "@baton/core";
import type { ToolPort, ToolSummary } from "@baton/core/ports";
import type { Tool } from "../definition/define.ts";
import { nearestNames } from "./nearest.ts";
import { type LateOutcome, messageOf, runGuarded } from "./outcome.ts";
import { definedTools, type ToolSource } from "./source.ts";

export interface ToolRegistryOptions {
  readonly tools?: readonly Tool[];
  readonly sources?: readonly ToolSource[];
  /** Makes the sources read what they know; called for tools of theirs only. */
  readonly refresh?: () => Promise<void>;
  /** Called when a call ends after its attempt was aborted or timed out; a process warning by default. */
  readonly onLate?: (late: LateOutcome) => void;
}

export interface ToolRegistry extends ToolPort {
  /** Swaps the tools made by `defineTool` at once; calls in flight end on the definition they began with. */
  replaceTools(tools: readonly Tool[]): void;
  reconcile: NonNullable<ToolPort["reconcile"]>;
  refresh: NonNullable<ToolPort["refresh"]>;
  disabled: NonNullable<ToolPort["disabled"]>;
}

const sourceNamePattern = /^[a-z0-9][a-z0-9_-]{0,63}$/;

/** Throws `invalid-configuration` on a duplicate tool or source name. */
export function createToolRegistry(options: ToolRegistryOptions = {}): ToolRegistry {
  const sources = options.sources ?? [];
  const onLate = options.onLate ?? warnLate;
  checkSources(sources);
  let local = mount(options.tools ?? [], sources);

  const list = (): ToolSummary[] => [
    ...local.list(),
    ...sources.flatMap((source) => source.list().map((tool) => ({ ...tool, name: `${source.name}.${tool.name}` }))),
  ];
  const locate = (name: string): { source: ToolSource; localName: string; summary: ToolSummary } => {
    const source = sources.find((candidate) => name.startsWith(`${candidate.name}.`)) ?? local;
    const localName = source === local ? name : name.slice(source.name.length + 1);
    const summary = source.list().find((tool) => tool.name === localName);
    if (summary === undefined) {
      const why = source.refusalOf?.(localName);
      if (why !== undefined) throw new BatonError("tool-disabled", why, { details: { sent: false, name } });
      throw unknownTool(name, list());
    }
    return { source, localName, summary: { ...summary, name } };
  };

  return {
    list,
    find: (name) => locate(name).summary,
    // No function of its own waits for the call: each is kept for every call under way.
    run: (name, args, call) =>
      new Promise((begin) => {
        const { source, localName } = locate(name);
        const guarded = { tool: name, call, timeoutMs: source.timeoutMs?.(localName), onLate };
        begin(runGuarded(guarded, (own) => source.run(localName, args, own)));
      }),
    reconcile: async (name, args, call) => {
      const { source, localName } = locate(name);
      if (source.reconcile === undefined) return { outcome: "unknown" };
      const ask = source.reconcile.bind(source);
      const guarded = { tool: name, call, timeoutMs: source.timeoutMs?.(localName), onLate };
      return runGuarded(guarded, (own) => ask(localName, args, own));
    },
    refresh(names) {
      const isOfSource = (name: string) => sources.some((source) => name.startsWith(`${source.name}.`));
      if (sources.length === 0 || (names !== undefined && !names.some(isOfSource))) return undefined;
      return options.refresh?.();
    },
    disabled: () =>
      sources.flatMap((source) =>
        (source.disabled?.() ?? []).map(({ name, why }) => ({ name: `${source.name}.${name}`, why })),
      ),
    replaceTools: (tools) => {
      local = mount(tools, sources);
    },
  };
}

export function unknownTool(name: string, known: readonly ToolSummary[]): BatonError {
  const nearest = nearestNames(
    name,
    known.map((tool) => tool.name),
  );
  const hint = nearest.length === 0 ? "No tool is registered." : `Did you mean ${nearest.join(", ")}?`;
  return new BatonError("unknown-tool", `There is no tool "${name}". ${hint}`, { details: { name, nearest } });
}

function mount(tools: readonly Tool[], sources: readonly ToolSource[]): ToolSource {
  const local = definedTools(tools);
  for (const { name } of local.list()) {
    const owner = sources.find((source) => name.startsWith(`${source.name}.`));
    if (owner !== undefined) {
      throw new BatonError(
        "invalid-configuration",
        `Tool "${name}" stands below the source "${owner.name}": rename one of them.`,
      );
    }
  }
  return local;
}

function checkSources(sources: readonly ToolSource[]): void {
  const seen = new Set<string>();
  for (const { name } of sources) {
    if (!sourceNamePattern.test(name)) {
      throw new BatonError(
        "invalid-configuration",
        `Tool source "${name}": use lower case letters, digits, "_" and "-".`,
      );
    }
    if (seen.has(name))
      throw new BatonError("invalid-configuration", `Two tool sources are named "${name}": rename one of them.`);
    seen.add(name);
  }
  for (const source of sources) {
    const names = source.list().map((tool) => tool.name);
    const twice = names.find((name, index) => names.indexOf(name) !== index);
    if (twice !== undefined) {
      throw new BatonError("invalid-configuration", `Source "${source.name}" has two tools named "${twice}".`);
    }
  }
}

function warnLate({ tool, idempotencyKey, error, isAbort }: LateOutcome): void {
  if (isAbort === true) return;
  const how = error === undefined ? "completed" : `failed (${messageOf(error)})`;
  process.emitWarning(
    `Tool "${tool}" ${how} after its attempt had ended; idempotency key ${idempotencyKey}.`,
    "BatonLateTool",
  );
}
