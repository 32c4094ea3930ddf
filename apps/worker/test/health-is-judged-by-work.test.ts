import type { AttemptReport } from "@baton/executor";
import type { QueueConsumer } from "@baton/core/ports";
import { describe, expect, test } from "vitest";
import { liveness, readiness } from "../src/health.ts";
import type { Vitals } from "../src/health.ts";

const now = 1_000_000;
const attempt = (state: AttemptReport["state"]): AttemptReport => ({
  ref: { tenantId: "n", taskId: "t", stepId: "s" },
  key: "k",
  attemptNo: 1,
  startedAt: 0,
  deadlineAt: 0,
  state,
});
const consumerOf = (silentMs: number, activeCount: number) => ({
  pool: "default",
  slots: 2,
  consumer: { lastLookedAt: now - silentMs, activeCount } as QueueConsumer,
});

function vitals(changes: {
  silentMs?: number;
  activeCount?: number;
  attempts?: AttemptReport[];
  sessionId?: string | undefined;
  triedMs?: number;
  isStopping?: boolean;
  loopLagMs?: number;
  /** For how long the queue has been answering; null while it does not. */
  answeringMs?: number | null;
  waitingMs?: number;
}): Vitals {
  const {
    silentMs = 0,
    activeCount = 0,
    attempts = [],
    triedMs = 600_000,
    isStopping = false,
    loopLagMs = 0,
    answeringMs = 3_600_000,
    waitingMs,
  } = changes;
  const sessionId = "sessionId" in changes ? changes.sessionId : "session";
  return {
    now,
    isStopping,
    loopLagMs,
    lives: {
      sessionId,
      triedAt: now - triedMs,
      consumers: [consumerOf(silentMs, activeCount)],
      attempts: () => attempts,
      waitingSince: () => (waitingMs === undefined ? undefined : now - waitingMs),
      queueAnsweringSince: answeringMs === null ? undefined : now - answeringMs,
    },
  };
}

describe("a worker is alive", () => {
  test.each([
    ["while it looks for work, though the queue is empty", vitals({}), true, "ok"],
    [
      "while every slot is busy, though it looks for nothing",
      vitals({ silentMs: 3_600_000, activeCount: 2 }),
      true,
      "ok",
    ],
    [
      "not when a free slot has looked for nothing for long",
      vitals({ silentMs: 31_000, activeCount: 1 }),
      false,
      "consumer-silent: default",
    ],
    [
      "while the queue answers nobody, for however long",
      vitals({ silentMs: 3_600_000, answeringMs: null }),
      true,
      "ok",
    ],
    ["while the queue has just come back", vitals({ silentMs: 3_600_000, answeringMs: 29_000 }), true, "ok"],
    [
      "not when the queue is back and its consumer is not",
      vitals({ silentMs: 3_600_000, answeringMs: 31_000 }),
      false,
      "consumer-silent: default",
    ],
    ["while the store takes its time", vitals({ activeCount: 2, waitingMs: 29_000 }), true, "ok"],
    [
      "not when what it took does not get on though its session lives",
      vitals({ activeCount: 2, waitingMs: 31_000 }),
      false,
      "store-calls-stuck",
    ],
    ["while it has just begun a session", vitals({ silentMs: 3_600_000, triedMs: 1_000 }), true, "ok"],
    ["while it tries to begin one", vitals({ sessionId: undefined, triedMs: 5_000 }), true, "ok"],
    ["not when it has stopped trying", vitals({ sessionId: undefined, triedMs: 46_000 }), false, "no-session"],
    [
      "not when every slot is held by an attempt that ignores its abort",
      vitals({ activeCount: 2, attempts: [attempt("abandoned"), attempt("abandoned")] }),
      false,
      "slots-stuck",
    ],
    [
      "while one slot still works",
      vitals({ activeCount: 2, attempts: [attempt("abandoned"), attempt("running")] }),
      true,
      "ok",
    ],
    ["when it is disabled", { ...vitals({}), lives: undefined }, true, "ok"],
  ])("%s", (_claim, given, ok, reason) => {
    expect(liveness(given)).toEqual({ ok, reason });
  });
});

describe("a worker is ready", () => {
  test.each([
    ["with a session and a free loop", vitals({}), true, "ok"],
    ["not while it stops", vitals({ isStopping: true }), false, "stopping"],
    ["not without a session", vitals({ sessionId: undefined, triedMs: 0 }), false, "no-session"],
    ["not after its event loop was blocked", vitals({ loopLagMs: 6_000 }), false, "event-loop-blocked"],
    ["not when it is disabled", { ...vitals({}), lives: undefined }, false, "worker-disabled"],
    ["not when it is not alive", vitals({ silentMs: 46_000 }), false, "consumer-silent: default"],
    [
      "not while the queue is away",
      vitals({ silentMs: 46_000, answeringMs: null }),
      false,
      "queue-unavailable: default",
    ],
  ])("%s", (_claim, given, ok, reason) => {
    expect(readiness(given)).toEqual({ ok, reason });
  });
});
