/**
 * docs/lifecycle: the two lifecycle tables of core as pages with a state diagram.
 *
 * Boundary: it renders what the tables say; what a state means to a reader stands in docs/.
 */
import { stepStates, stepTable, taskIntents, taskStates, taskTable } from "@baton/core/lifecycle";
import type { StateClass } from "@baton/core/lifecycle";
import type { Generator } from "./generation.ts";

export interface PageRow {
  readonly from: string;
  readonly event: string;
  readonly to: readonly string[];
  readonly guard: string;
}

export interface LifecyclePage {
  readonly title: string;
  readonly source: string;
  readonly notes: readonly string[];
  readonly states: Readonly<Record<string, StateClass>>;
  readonly rows: readonly PageRow[];
}

const classes: Readonly<Record<StateClass, string>> = {
  live: "something moves it on",
  resting: "nothing moves it until a person retries, resolves or cancels",
  terminal: "nothing ever moves it again",
};

function renderPage({ title, source, notes, states, rows }: LifecyclePage): string {
  return [
    `# ${title}`,
    "",
    `Generated from \`${source}\` by \`node tooling/generate.ts\`; edit the table there, not this page.`,
    "",
    ...notes.flatMap((note) => [note, ""]),
    "| state | class | |",
    "|---|---|---|",
    ...Object.entries(states).map(([state, name]) => `| \`${state}\` | ${name} | ${classes[name]} |`),
    "",
    ...diagram(states, rows),
    "",
    "| from | event | to | guard |",
    "|---|---|---|---|",
    ...rows.map(
      (row) => `| \`${row.from}\` | ${row.event} | ${row.to.map((to) => `\`${to}\``).join(", ")} | ${row.guard} |`,
    ),
    "",
  ].join("\n");
}

/** One arrow a pair of states, with every event that may take it. */
function diagram(states: Readonly<Record<string, StateClass>>, rows: readonly PageRow[]): string[] {
  const arrows = new Map<string, Set<string>>();
  for (const { from, event, to } of rows) {
    for (const target of to) {
      if (target === from) continue;
      const arrow = `${from} --> ${target}`;
      arrows.set(arrow, (arrows.get(arrow) ?? new Set()).add(event));
    }
  }
  const ends = Object.entries(states).flatMap(([state, name]) => (name === "terminal" ? [`${state} --> [*]`] : []));
  return [
    "```mermaid",
    "stateDiagram-v2",
    "  [*] --> pending",
    ...[...arrows].map(([arrow, events]) => `  ${arrow}: ${[...events].join(", ")}`),
    ...ends.map((end) => `  ${end}`),
    "```",
  ];
}

export const taskPage: LifecyclePage = {
  title: "The life of a task",
  source: "packages/core/src/lifecycle/task-table.ts",
  notes: [
    `A task's state is derived from its intent (${taskIntents.join(", ")}) and its counters by \`taskState\` in \`packages/core/src/lifecycle/task-state.ts\`; the table bounds the moves, and the store refuses any other.`,
  ],
  states: taskStates,
  rows: taskTable,
};

export const stepPage: LifecyclePage = {
  title: "The life of a step",
  source: "packages/core/src/lifecycle/step-table.ts",
  notes: ["A backoff is a `ready` step whose `available_at` lies ahead."],
  states: stepStates,
  rows: stepTable.map((row) => ({ ...row, to: [row.to] })),
};

export function lifecyclePages(task: LifecyclePage, step: LifecyclePage): Generator {
  const pages = { "docs/lifecycle/task.md": task, "docs/lifecycle/step.md": step };
  return {
    name: "lifecycle pages",
    files: ["docs/lifecycle/*.md"],
    generate: () => Promise.resolve(new Map(Object.entries(pages).map(([file, page]) => [file, renderPage(page)]))),
  };
}
