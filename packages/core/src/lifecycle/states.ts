/**
 * The states, their classes, and the intents.
 *
 * 1. Every state has exactly one class: live (something moves it), resting (a person's retry reopens
 *    it), terminal (nothing ever moves it again).
 */
export type StateClass = "live" | "resting" | "terminal";

export const taskStates = {
  pending: "live",
  planning: "live",
  running: "live",
  evaluating: "live",
  waiting: "live",
  retrying: "live",
  blocked: "live",
  paused: "live",
  compensating: "live",
  failed: "resting",
  completed: "terminal",
  cancelled: "terminal",
} as const satisfies Record<string, StateClass>;
export type TaskState = keyof typeof taskStates;

export const stepStates = {
  pending: "live",
  ready: "live",
  running: "live",
  waiting: "live",
  failed: "resting",
  completed: "terminal",
  skipped: "terminal",
  cancelled: "terminal",
} as const satisfies Record<string, StateClass>;
export type StepState = keyof typeof stepStates;

/** What people and policies want of a task; a column of its own, never derived. */
export const taskIntents = ["none", "pause", "cancel", "compensate"] as const;
export type TaskIntent = (typeof taskIntents)[number];

/** `user` steps are the plan's own; the others are Baton's and are left out of `totalSteps`. */
export const stepKinds = ["user", "plan", "evaluate", "reply", "summary"] as const;
export type StepKind = (typeof stepKinds)[number];

export const edgeVerdicts = ["open", "satisfied", "dead"] as const;
export type EdgeVerdict = (typeof edgeVerdicts)[number];
