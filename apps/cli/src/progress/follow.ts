/**
 * Follows a task and says what happens, one line per step that begins, ends or fails.
 *
 * 1. Items of a map are counted, not listed; a failing item is named.
 * 2. What happens between two lines stands in a status line at the bottom, on a terminal only.
 */
import type { BatonClient } from "@baton/client";
import type { Task, Trace } from "@baton/contracts";
import type { Console } from "../console/console.ts";
import { duration, fit, oneLine } from "../console/text.ts";
import { allAttempts, createTracker, planSteps } from "./tracker.ts";
import type { TrackedStep, Tracker } from "./tracker.ts";

export interface FollowOptions {
  readonly client: BatonClient;
  readonly taskId: string;
  readonly console: Console;
  readonly signal?: AbortSignal | undefined;
  readonly nameOf: (worker: string) => string;
  readonly onTrace?: (trace: Trace) => void;
  /** Called once, when the plan's steps are known. */
  readonly onPlan?: (steps: readonly TrackedStep[]) => void;
}

export interface Followed {
  readonly state: Task["state"];
  readonly tracker: Tracker;
}

export async function followProgress(options: FollowOptions): Promise<Followed> {
  const { client, taskId, console, signal } = options;
  const tracker = createTracker();
  const reporter = createReporter(options, tracker);
  const heartbeat = setInterval(() => reporter.refresh(), 250);
  try {
    for await (const event of client.follow(taskId, signal === undefined ? {} : { signal })) {
      if (event.event === "end") return { state: event.state, tracker };
      if (event.event === "live") reporter.live(event.data);
      else {
        const step = tracker.apply(event.trace);
        options.onTrace?.(event.trace);
        reporter.trace(event.trace, step);
      }
    }
  } finally {
    clearInterval(heartbeat);
    console.status("");
  }
  const { state } = await client.getTask(taskId);
  return { state, tracker };
}

interface Reporter {
  trace(trace: Trace, step: TrackedStep | undefined): void;
  live(data: unknown): void;
  refresh(): void;
}

function createReporter(options: FollowOptions, tracker: Tracker): Reporter {
  const { console, nameOf } = options;
  const startedAt = performance.now();
  const begun = new Set<string>();
  let hasPlan = false;
  let latest = "";
  const line = (mark: string, name: string, text: string) =>
    console.progress(`${mark} ${fit(`${fit(oneLine(name), 18, true)} ${oneLine(text)}`, console.columns - 3)}`);

  function begins(step: TrackedStep): void {
    const top = topOf(step, tracker);
    if (begun.has(top.id)) return;
    begun.add(top.id);
    line(console.paint("cyan", "▸"), top.key, top.description);
  }

  function ends(step: TrackedStep): void {
    if (step.parentId !== undefined) return;
    const attempts = step.items.length === 0 ? step.attempts : step.items.flatMap(allAttempts);
    const took = spanOf(step);
    const items = step.items.length === 0 ? [] : [`${step.items.length} items`];
    const workers = [...Map.groupBy(attempts, ({ worker }) => nameOf(worker))].map(([name, own]) =>
      step.items.length === 0 ? name : `${name} ×${own.length}`,
    );
    const parts = [...items, ...(took === undefined ? [] : [duration(took)]), workers.toSorted().join(", ")];
    line(console.paint("green", "✓"), step.key, parts.filter((part) => part !== "").join("  "));
  }

  return {
    trace(trace, step) {
      if (!hasPlan && planSteps(tracker).length > 0) {
        hasPlan = true;
        console.status("");
        options.onPlan?.(planSteps(tracker));
      }
      if (step !== undefined && trace.type === "step-started") begins(step);
      if (step !== undefined && trace.type === "step-completed") ends(step);
      const said = notable(trace);
      if (said !== undefined) line(console.paint(said.style, said.mark), step?.key ?? "task", said.text);
      this.refresh();
    },
    live(data) {
      const { kind, message } = data as { kind?: unknown; message?: unknown };
      if (kind === "progress" && typeof message === "string") latest = oneLine(message);
    },
    refresh() {
      const own = [...tracker.steps.values()].filter(({ kind }) => kind === "user");
      const settled = own.filter(({ state }) => state === "completed" || state === "skipped").length;
      const running = [...tracker.steps.values()].filter(({ state }) => state === "running");
      const names = [...new Set(running.map((step) => topOf(step, tracker).key))].join(", ");
      const seconds = duration(performance.now() - startedAt);
      const now = running.length === 0 ? "" : `, ${running.length} running: ${names}`;
      console.status(`  ${settled}/${own.length} steps${now}  ${seconds}  ${latest}`.trimEnd());
    },
  };
}

function topOf(step: TrackedStep, tracker: Tracker): TrackedStep {
  const parent = step.parentId === undefined ? undefined : tracker.steps.get(step.parentId);
  return parent === undefined ? step : topOf(parent, tracker);
}

/** From the first start to the last end, over the items too. */
function spanOf(step: TrackedStep): number | undefined {
  const attempts = allAttempts(step);
  const starts = attempts.map(({ startedAt }) => startedAt);
  const ends = attempts.map(({ endedAt }) => endedAt ?? 0);
  return attempts.length === 0 ? undefined : Math.max(...ends) - Math.min(...starts);
}

interface Notable {
  readonly mark: string;
  readonly style: "yellow" | "red";
  readonly text: string;
}

/** What a person should know at once; undefined for the course of things. */
function notable({ type, data }: Trace): Notable | undefined {
  const message = (data["error"] as { message?: string } | undefined)?.message ?? "";
  switch (type) {
    case "step-asked":
      return asks(data);
    case "child-ended":
      return { mark: "↑", style: "yellow", text: `agent ${String(data["agent"])} ${String(data["state"])}` };
    case "question-closed":
      return data["state"] === "withdrawn"
        ? undefined
        : { mark: "?", style: "yellow", text: `${String(data["kind"])} ${String(data["state"])}` };
    case "step-retry-scheduled":
      return { mark: "↻", style: "yellow", text: `again in ${duration(Number(data["delayMs"]))}: ${message}` };
    case "step-failed":
      return { mark: "✗", style: "red", text: message };
    case "step-crashed":
      return { mark: "✗", style: "yellow", text: "its worker died; another one takes it" };
    case "plan-rejected":
      return { mark: "↻", style: "yellow", text: `plan refused: ${(data["problems"] as string[]).join("; ")}` };
    case "task-paused":
      return { mark: "‖", style: "yellow", text: "paused" };
    case "task-cancelled":
      return { mark: "✗", style: "yellow", text: "cancelled" };
    case "task-state-changed":
      return data["to"] === "blocked"
        ? { mark: "‖", style: "yellow", text: 'waits for a decision; "baton why" says which' }
        : undefined;
    default:
      return undefined;
  }
}

function asks({ questions, children = [] }: Trace["data"]): Notable {
  const asked = questions as readonly { readonly text?: string; readonly tool?: string }[];
  const called = children as readonly { readonly agent: string; readonly childTaskId: string }[];
  const ofPerson = asked.map(({ text, tool }) => text ?? `may ${tool ?? "a tool"} be called?`).join("; ");
  const ofAgents = called.map(({ agent, childTaskId }) => `${agent} (task ${childTaskId})`).join(", ");
  const waits = [
    ...(asked.length > 0 ? [`waits for a person: ${ofPerson} (npm run baton -- questions)`] : []),
    ...(called.length > 0 ? [`calls agents: ${ofAgents}`] : []),
  ];
  return { mark: asked.length > 0 ? "?" : "↓", style: "yellow", text: waits.join("; ") };
}
