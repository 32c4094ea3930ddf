/** The verb is in crashes.sql. */
import type { AttemptCrash } from "@baton/core/ports";
import type { Connections } from "../connection/pools.ts";

export interface CrashAnswer {
  /** False when the attempt had been taken over, or was told already. */
  readonly isCurrent: boolean;
  readonly isDeadLetter: boolean;
}

export async function crashAttempt(
  { engine }: Pick<Connections, "engine">,
  sessionId: string,
  { ref, attemptNo, cause, traces }: AttemptCrash,
): Promise<CrashAnswer> {
  const rows = await engine<{ answer: CrashAnswer }>(
    "select baton_v1.crash_attempt($1, $2, $3, $4, $5, $6, $7) as answer",
    [ref.tenantId, ref.taskId, ref.stepId, attemptNo, sessionId, JSON.stringify(cause), JSON.stringify(traces)],
  );
  return rows[0]?.answer ?? { isCurrent: false, isDeadLetter: false };
}
