/**
 * docs/lifecycle: the two lifecycle tables of core as pages with a state diagram.
 *
 * Boundary: it renders what the tables say; what a state means to a reader stands in docs/.
 */
import { stepStates, stepTable, taskIntents, taskStates, taskTable, workingStates } from "@baton/core/lifecycle";
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
  /** States that the diagram draws as one where their moves are alike; the table has each. */
  readonly group?: { readonly name: string; readonly members: readonly string[] };
}

const classes: Readonly<Record<StateClass, string>> = {
  live: "something moves it on",
  resting: "nothing moves it until a person retries, resolves or cancels",
  terminal: "nothing ever moves it again",
};

function renderPage(page: LifecyclePage): string {
  const { title, source, notes, states, rows } = page;
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
    ...diagram(page),
    "",
    "| from | event | to | guard |",
    "|---|---|---|---|",
    ...rows.map(
      (row) => `| \`${row.from}\` | ${row.event} | ${row.to.map((to) => `\`${to}\``).join(", ")} | ${row.guard} |`,
    ),
    "",
  ].join("\n");
}

interface Arrow {
  readonly from: string;
  readonly to: string;
  readonly events: ReadonlySet<string>;
}

/** One arrow a pair of states, with every event that may take it. */
function arrowsOf(rows: readonly PageRow[]): Arrow[] {
  const arrows = new Map<string, { from: string; to: string; events: Set<string> }>();
  for (const { from, event, to } of rows) {
    for (const target of to) {
      if (target === from) continue;
      const arrow = arrows.get(`${from}>${target}`) ?? { from, to: target, events: new Set() };
      arrows.set(`${from}>${target}`, arrow);
      arrow.events.add(event);
    }
  }
  return [...arrows.values()];
}

/** Arrows that every member of the group has become one; the others stay. */
function drawGrouped(arrows: readonly Arrow[], name: string, members: readonly string[]): Arrow[] {
  const isMember = (state: string) => members.includes(state);
  const inside = arrows.filter(({ from, to }) => isMember(from) && isMember(to));
  const isClique = inside.length === members.length * (members.length - 1);
  const drawn = new Map<string, Arrow>();
  for (const arrow of arrows) {
    if (isMember(arrow.from) && isMember(arrow.to)) {
      if (!isClique) drawn.set(`${arrow.from}>${arrow.to}`, arrow);
      continue;
    }
    const alike = arrows.filter(({ from, to }) =>
      isMember(arrow.from) ? isMember(from) && to === arrow.to : isMember(to) && from === arrow.from,
    );
    const isShared = alike.length === members.length;
    const from = isShared && isMember(arrow.from) ? name : arrow.from;
    const to = isShared && isMember(arrow.to) ? name : arrow.to;
    const events = new Set([...(drawn.get(`${from}>${to}`)?.events ?? []), ...arrow.events]);
    drawn.set(`${from}>${to}`, { from, to, events });
  }
  return [...drawn.values()];
}

function diagram({ states, rows, group }: LifecyclePage): string[] {
  const arrows = arrowsOf(rows);
  const drawn = group === undefined ? arrows : drawGrouped(arrows, group.name, group.members);
  const ends = Object.entries(states).flatMap(([state, name]) => (name === "terminal" ? [`  ${state} --> [*]`] : []));
  const box =
    group === undefined ? [] : [`  state ${group.name} {`, ...group.members.map((state) => `    ${state}`), "  }"];
  return [
    "```mermaid",
    "stateDiagram-v2",
    ...box,
    "  [*] --> pending",
    ...drawn.map(({ from, to, events }) => `  ${from} --> ${to}: ${[...events].join(", ")}`),
    ...ends,
    "```",
  ];
}

export const taskPage: LifecyclePage = {
  title: "The life of a task",
  source: "packages/core/src/lifecycle/task-table.ts",
  notes: [
    `A task's state is derived from its intent (${taskIntents.join(", ")}) and its counters by \`taskState\` in \`packages/core/src/lifecycle/task-state.ts\`; the table bounds the moves, and the store refuses any other.`,
    `The diagram draws ${workingStates.map((state) => `\`${state}\``).join(", ")} as one: any of them may follow any other by a claim, a settle or a reap.`,
  ],
  states: taskStates,
  rows: taskTable,
  group: { name: "working", members: workingStates },
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
