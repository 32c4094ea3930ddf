/** The client verbs of dead letters, each in a transaction of its own. */
import type { ClientStore } from "../client-store.ts";
import { type Connections, isUuid } from "../connection/pools.ts";
import type { WireWakeUp } from "../steps/attempts.ts";
import { findDeadLetter, listDeadLetterGroups, listDeadLetters, readFailedStep } from "./letters.ts";
import { resolveStep, retryDeadLetters, retrySteps } from "./resolution.ts";

type DeadLetterVerb =
  | "listDeadLetterGroups"
  | "listDeadLetters"
  | "findDeadLetter"
  | "readFailedStep"
  | "retryStep"
  | "retryDeadLetters"
  | "resolveStep";

export function deadLetterVerbs(
  { api }: Pick<Connections, "api">,
  room: () => number,
  onWakeUps: (wakeUps: readonly WireWakeUp[]) => void,
): Pick<ClientStore, DeadLetterVerb> {
  return {
    listDeadLetterGroups: (query) => api(query.tenantId, (db) => listDeadLetterGroups(db, query)),
    listDeadLetters: (query) => api(query.tenantId, (db) => listDeadLetters(db, query)),
    findDeadLetter: async (tenantId, stepId) =>
      isUuid(stepId) ? api(tenantId, (db) => findDeadLetter(db, tenantId, stepId)) : undefined,
    readFailedStep: async (tenantId, stepId) => {
      return isUuid(stepId) ? api(tenantId, (db) => readFailedStep(db, tenantId, stepId)) : undefined;
    },
    retryStep: async (ref, why) => {
      const { answers, wakeUps } = await api(ref.tenantId, (db) => retrySteps(db, [ref], why, room()));
      onWakeUps(wakeUps);
      return answers[0];
    },
    retryDeadLetters: (selection, why) =>
      retryDeadLetters({ inTransaction: (run) => api(selection.tenantId, run), room, onWakeUps }, selection, why),
    resolveStep: async (ref, resolution) => {
      const resolved = await api(ref.tenantId, (db) => resolveStep(db, ref, resolution, room()));
      if (resolved === undefined) return undefined;
      const { wakeUps, ...answer } = resolved;
      onWakeUps(wakeUps);
      return answer;
    },
  };
}
