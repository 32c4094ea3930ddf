/**
 * The store: the only room with pg and drizzle.
 *
 * Purpose: PostgreSQL is the only truth; this room is the only door to it. Boundary: verbs, not rows;
 * no connection, transaction or query builder leaves it.
 *
 * 1. One verb, one transaction; lock order is in each verb's header: task rows ascending, then step
 *    rows, then the rest.
 * 2. Engine verbs run as baton_engine, client verbs as baton_api with one tenant.
 * 3. What a verb leaves to do (wake-ups) is handed over after the commit, never before.
 */
import { BatonError, type StepRef, type TaskRef } from "@baton/core";
import type {
  AttemptNow,
  EngineStore,
  HousekeepingStore,
  ProviderGate,
  RateLimiter,
  Session,
  SessionOptions,
  StopSignal,
} from "@baton/core/ports";
import { deleteAgent, findAgent, listAgents, putAgent } from "./agents/agents.ts";
import { listArtifacts, readArtifact, saveArtifact } from "./artifacts/artifacts.ts";
import { createBudgets } from "./budgets/budgets.ts";
import { changeTaskBudget, readTaskBudget, readTenantBudget, readUsage, setTenantBudget } from "./budgets/rows.ts";
import { appendMessage, listMessages } from "./chat/messages.ts";
import { childrenOf } from "./children/children.ts";
import { createRelatives } from "./children/relatives.ts";
import { amendGoal, dueAnswers, landAnswer, startWaitingTasks, threadExists } from "./chat/turns.ts";
import { checkpointContext, listCheckpoints, saveCheckpoint } from "./checkpoints/checkpoints.ts";
import type { ClientStore } from "./client-store.ts";
import { openListener } from "./connection/listener.ts";
import { checkRoles, type Database, isUuid, openConnections, rowsOf } from "./connection/pools.ts";
import { openingPatienceMs, patiently } from "./connection/patience.ts";
import { sql } from "./connection/sql.ts";
import { deadLetterVerbs } from "./dead-letters/verbs.ts";
import { listEffects, resolveEffect } from "./effects/calls.ts";
import { createEffects } from "./effects/effects.ts";
import { dropIdempotent, finishIdempotent, startIdempotent } from "./idempotency/idempotency.ts";
import { installationSecret } from "./installation/installation-secret.ts";
import { keepTaskDefaults } from "./installation/task-defaults.ts";
import { createApiKey, findApiKey, listApiKeys, revokeApiKey } from "./keys/api-keys.ts";
import { createProviderGate } from "./limits/gate.ts";
import { createPostgresLimiter } from "./limits/limiter.ts";
import { createLiveStore, type LiveStore } from "./live/live-store.ts";
import { crashAttempt } from "./sessions/crash-attempt.ts";
import { liveSlots } from "./sessions/live-slots.ts";
import { openSession } from "./sessions/open-session.ts";
import { releaseOrphans } from "./sessions/release-orphans.ts";
import { createAttempts, type WakeUpsByPool, type WireWakeUp, wakeUpsByPool } from "./steps/attempts.ts";
import { listTaskSteps } from "./steps/list-task-steps.ts";
import { itemOutputs, readOutput, settledOutputs } from "./steps/outputs.ts";
import { createCreations } from "./tasks/create-task.ts";
import { cancelTask, pauseTask, resumeTask, retryTask } from "./tasks/intents.ts";
import { getTask, listTasks } from "./tasks/rows.ts";
import { whyTask } from "./tasks/why-task.ts";
import { listTaskTraces } from "./traces/list-task-traces.ts";
import { backlog } from "./upkeep/backlog.ts";
import { deleteNote, listNotes, searchNotes, storeNote } from "./notes/notes.ts";
import { acceptMcpTool, createMcpStore, listMcp, type McpStore } from "./mcp/mcp.ts";
import { answerQuestion, askedQuestions, expireQuestions, getQuestion, listQuestions } from "./questions/questions.ts";
import { prune } from "./upkeep/prune.ts";

export interface StoreOptions {
  readonly url: string;
  readonly applicationName: string;
  /** UUIDv7. */
  readonly newId: () => string;
  readonly onError: (error: Error) => void;
  /** Receives wake-ups to enqueue, after the commit that made them. */
  readonly onWakeUps: (wakeUps: WakeUpsByPool) => void;
  /** Wake-ups the queue may still take, as the pump last saw it; 0 leaves dispatching to the pump. */
  readonly room?: () => number;
  readonly maxConnections?: number;
  /** How long a flush is retried while PostgreSQL is away. */
  readonly patienceMs?: number;
}

export interface Store extends EngineStore, HousekeepingStore, ClientStore {
  openSession(
    options: SessionOptions & {
      readonly earliestDeadline?: () => number | undefined;
      readonly attemptNow?: () => AttemptNow | undefined;
      readonly onStop?: (signal: StopSignal) => void;
    },
  ): Promise<Session>;
  /** Stops announced by NOTIFY; the beat's reply repeats what a lost connection missed, `onBack` says that it was lost. */
  listenStops(onStop: (signal: StopSignal) => void, onBack?: () => void): Promise<{ close(): Promise<void> }>;
  /** Pools for which a client's own transaction has committed ready steps; what is missed, a pump finds by itself. */
  listenReady(onReady: (pool: string) => void): Promise<{ close(): Promise<void> }>;
  /**
   * Gives back the steps that run under the session for longer than `olderThanMs` and are not among those it
   * performs; resolves to how many.
   */
  releaseOrphans(sessionId: string, performing: readonly StepRef[], olderThanMs: number): Promise<number>;
  readonly live: LiveStore;
  readonly limiter: RateLimiter;
  readonly mcp: McpStore;
  readonly gate: ProviderGate;
  /** Resolves when nothing is queued or in flight. */
  idle(): Promise<void>;
  close(): Promise<void>;
}

export async function openStore(options: StoreOptions): Promise<Store> {
  const connections = openConnections({
    url: options.url,
    maxConnections: options.maxConnections ?? 8,
    applicationName: options.applicationName,
    onError: options.onError,
  });
  try {
    await opening(() => checkRoles(connections));
  } catch (error) {
    await connections.close();
    throw withMigrationHint(error);
  }
  const listener = openListener(options);
  const stopListeners = new Set<(signal: StopSignal) => void>();
  let session: Session | undefined;
  let slots = 0;
  const room = options.room ?? (() => 1_000_000);
  const patienceMs = options.patienceMs ?? 60_000;
  const attempts = createAttempts({
    connections,
    newId: options.newId,
    sessionId: () => session?.sessionId,
    slots: () => slots,
    onWakeUps: options.onWakeUps,
    room,
    patienceMs,
  });
  const effects = createEffects({ connections, newId: options.newId, patienceMs });
  const gate = createProviderGate({ connections, newId: options.newId, patienceMs, onError: options.onError });
  const budgets = createBudgets({ connections, newId: options.newId, patienceMs });
  const { asEngine, api } = connections;
  const inTenant = <Result>(ref: { readonly tenantId: string }, run: (db: Database) => Promise<Result>) =>
    api(ref.tenantId, run);
  /** A task id that is no UUID names nothing. */
  const ofTask = async <Result>(ref: TaskRef, run: (db: Database) => Promise<Result>): Promise<Result | undefined> =>
    isUuid(ref.taskId) ? api(ref.tenantId, run) : undefined;
  const handOver = (wire: readonly WireWakeUp[]): void => {
    if (wire.length > 0) options.onWakeUps(wakeUpsByPool(wire));
  };

  const relatives = createRelatives({ connections, room, handOver, onError: options.onError });
  /** What is wanted of a task is wanted of its children. */
  const withChildren = async <Answer>(asked: Promise<Answer>): Promise<Answer> => {
    const answer = await asked;
    relatives.follow();
    return answer;
  };

  const createTask = createCreations({ connections, newId: options.newId, room, onWakeUps: handOver });

  return {
    // engine
    claimStep: attempts.claimStep,
    settleAttempt: async (settlement) => {
      const answer = await attempts.settleAttempt(settlement);
      const mayEndTask = ["completed", "exhausted"].includes(settlement.outcome.outcome);
      if (mayEndTask && settlement.task?.rootTaskId !== undefined) relatives.tell();
      return answer;
    },
    crashAttempt: async (crash) => {
      if (session === undefined)
        throw new BatonError("internal", "A crash is told by the session that it happened to.");
      return await crashAttempt(connections, session.sessionId, crash);
    },
    idle: async () => {
      await Promise.all([attempts.idle(), gate.idle()]);
      await relatives.idle();
    },
    readOutput: (ref, blobId) => asEngine((db) => readOutput(db, ref, blobId)),
    itemOutputs: (ref) => itemOutputs(connections.database, ref),
    settledOutputs: (ref) => asEngine((db) => settledOutputs(db, ref)),
    threadMessages: async (ref, threadId) => {
      const messages = await asEngine((db) => listMessages(db, ref.tenantId, threadId, 200));
      return messages.map((message) => ({ role: message.role, text: textOf(message.parts) }));
    },
    saveCheckpoint: (ref, attemptNo) => asEngine((db) => saveCheckpoint(db, ref, attemptNo)),
    saveArtifact: (ref, draft) => asEngine((db) => saveArtifact(db, ref, draft, options.newId)),
    readArtifact: async (ref, artifactId) => {
      if (!isUuid(artifactId)) return undefined;
      const found = await asEngine((db) => readArtifact(db, ref, artifactId));
      return found === undefined ? undefined : { ref: found.row, content: found.content };
    },
    startEffect: effects.startEffect,
    finishEffect: effects.finishEffect,
    journal: effects.journal,
    questions: (ref) => askedQuestions(connections, ref),
    children: (ref) => childrenOf(connections, ref),
    storeNote: (ref, note) => storeNote(connections, ref, note),
    searchNotes: (tenantId, agent, query) => searchNotes(connections, tenantId, agent, query),
    mcp: createMcpStore(connections),
    reserveCall: budgets.reserveCall,
    settleCall: budgets.settleCall,

    // housekeeping
    dispatchSteps: async ({ pool, room: free, queueWaiting }) => {
      const rows = await connections.engine<{ sent: readonly WireWakeUp[] }>(
        "select baton_v1.dispatch($1, $2, $3) as sent",
        [pool, free, queueWaiting],
      );
      return wakeUpsByPool(rows[0]?.sent ?? []).get(pool) ?? [];
    },
    reapSessions: async () => {
      const rows = await connections.engine<{ reaped: { sessions: number; steps: number; deadLetters: number } }>(
        "select baton_v1.reap() as reaped",
      );
      return rows[0]?.reaped ?? { sessions: 0, steps: 0, deadLetters: 0 };
    },
    expireQuestions: async () => {
      const { questions, wakeUps } = await expireQuestions(connections, room());
      handOver(wakeUps);
      return { questions };
    },
    relateTasks: relatives.relate,
    expireReservations: budgets.expireReservations,
    prune: (ages) => asEngine((db) => prune(db, ages)),
    liveSlots: () => asEngine(liveSlots),
    backlog: () => asEngine(backlog),

    // clients
    createTask,
    getTask: (ref) => ofTask(ref, (db) => getTask(db, ref)),
    listTasks: (query) => inTenant(query, (db) => listTasks(db, query)),
    listRunningTasks: (tenantId, limit) =>
      api(tenantId, (db) =>
        listTasks(db, {
          tenantId,
          limit,
          states: [
            "pending",
            "planning",
            "running",
            "evaluating",
            "waiting",
            "retrying",
            "blocked",
            "paused",
            "compensating",
          ],
        }),
      ),
    listTaskSteps: async (ref, query) => (await ofTask(ref, (db) => listTaskSteps(db, ref, query))) ?? [],
    listTaskTraces: async (ref, query) => (await ofTask(ref, (db) => listTaskTraces(db, ref, query))) ?? [],
    cancelTask: (ref, by) => withChildren(ofTask(ref, (db) => cancelTask(db, ref, by))),
    pauseTask: (ref, by, reason) => withChildren(ofTask(ref, (db) => pauseTask(db, ref, by, reason))),
    resumeTask: (ref, by, reason) => withChildren(ofTask(ref, (db) => resumeTask(db, ref, by, reason))),
    retryTask: (ref, by, reason) => ofTask(ref, (db) => retryTask(db, ref, by, reason)),
    whyTask: async (ref) => (await ofTask(ref, (db) => whyTask(db, ref))) ?? [],
    ...deadLetterVerbs(connections, room, handOver),
    listEffects: async (ref, query) => (await ofTask(ref, (db) => listEffects(db, ref, query))) ?? [],
    resolveEffect: async (ref, callNo, word) => {
      if (!isUuid(ref.stepId)) return undefined;
      const resolved = await ofTask(ref, (db) => resolveEffect(db, ref, callNo, word, room()));
      if (resolved === undefined) return undefined;
      const { wakeUps, ...answer } = resolved;
      handOver(wakeUps);
      return answer;
    },
    listQuestions: async (query) =>
      [query.taskId, query.before].every((id) => id === undefined || isUuid(id))
        ? api(query.tenantId, (db) => listQuestions(db, query))
        : [],
    getQuestion: async (tenantId, questionId) =>
      isUuid(questionId) ? api(tenantId, (db) => getQuestion(db, tenantId, questionId)) : undefined,
    answerQuestion: async (tenantId, questionId, word) => {
      if (!isUuid(questionId)) return undefined;
      const answered = await api(tenantId, (db) => answerQuestion(db, tenantId, questionId, word, room()));
      if (answered === undefined) return undefined;
      const { wakeUps, ...answer } = answered;
      handOver(wakeUps);
      return answer;
    },
    readTaskBudget: (ref) => ofTask(ref, (db) => readTaskBudget(db, ref)),
    changeTaskBudget: async (ref, change, why) => {
      const changed = await ofTask(ref, (db) => changeTaskBudget(db, ref, change, why, room()));
      if (changed === undefined) return undefined;
      const { wakeUps = [], ...answer } = changed;
      handOver(wakeUps);
      relatives.follow();
      return answer;
    },
    readTenantBudget: (tenantId, scope) => api(tenantId, (db) => readTenantBudget(db, tenantId, scope)),
    setTenantBudget: (tenantId, scope, caps) => api(tenantId, (db) => setTenantBudget(db, tenantId, scope, caps)),
    usage: (query) => inTenant(query, (db) => readUsage(db, query)),
    putAgent: (put) => inTenant(put, (db) => putAgent(db, put)),
    findAgent: (query) => inTenant(query, (db) => findAgent(db, query)),
    listAgents: (tenantId) => api(tenantId, (db) => listAgents(db, tenantId)),
    deleteAgent: (tenantId, name) => api(tenantId, (db) => deleteAgent(db, tenantId, name)),
    listNotes: (query) => inTenant(query, (db) => listNotes(db, query)),
    listMcp: (tenantId) => api(tenantId, (db) => listMcp(db, tenantId)),
    acceptMcpTool: (tenantId, seen) => api(tenantId, (db) => acceptMcpTool(db, tenantId, seen)),
    deleteNote: async (tenantId, agent, noteId) =>
      isUuid(noteId) && (await api(tenantId, (db) => deleteNote(db, tenantId, agent, noteId))),
    listCheckpoints: async (ref) => (await ofTask(ref, (db) => listCheckpoints(db, ref))) ?? [],
    checkpointContext: async (ref, checkpointId) =>
      isUuid(checkpointId) ? ofTask(ref, (db) => checkpointContext(db, ref, checkpointId)) : undefined,
    listArtifacts: async (ref) => (await ofTask(ref, (db) => listArtifacts(db, ref))) ?? [],
    readTaskArtifact: async (ref, artifactId) =>
      isUuid(artifactId) ? ofTask(ref, (db) => readArtifact(db, ref, artifactId)) : undefined,
    appendMessage: (message) => inTenant(message, (db) => appendMessage(db, message)),
    threadExists: (tenantId, threadId) => api(tenantId, (db) => threadExists(db, tenantId, threadId)),
    amendGoal: (ref, words) => ofTask(ref, (db) => amendGoal(db, ref, words)),
    startWaitingTasks: async () => {
      const { tasks, wakeUps } = await startWaitingTasks(connections, room());
      handOver(wakeUps);
      return { tasks };
    },
    dueAnswers: (limit) => dueAnswers(connections, limit),
    landAnswer: async (ref, parts) => (await ofTask(ref, (db) => landAnswer(db, ref, parts))) === true,
    listMessages: (tenantId, threadId, limit) => api(tenantId, (db) => listMessages(db, tenantId, threadId, limit)),
    startIdempotent: (ref, bodyHash) => inTenant(ref, (db) => startIdempotent(db, ref, bodyHash, session?.sessionId)),
    finishIdempotent: (ref, answer) => inTenant(ref, (db) => finishIdempotent(db, ref, answer)),
    dropIdempotent: (ref) => inTenant(ref, (db) => dropIdempotent(db, ref)),
    createApiKey: (key) => opening(() => inTenant(key, (db) => createApiKey(db, key))),
    findApiKey: (hash) => asEngine((db) => findApiKey(db, hash)),
    listApiKeys: (tenantId) => api(tenantId, (db) => listApiKeys(db, tenantId)),
    revokeApiKey: async (tenantId, keyId) =>
      isUuid(keyId) && (await api(tenantId, (db) => revokeApiKey(db, tenantId, keyId))),
    installationSecret: (candidate) => opening(() => installationSecret(connections, candidate)),
    keepTaskDefaults: (defaults) => opening(() => keepTaskDefaults(connections, defaults)),
    ping: async () => {
      await connections.engine("select 1 as alive");
    },
    poolServed: async (pool) => {
      const rows = await asEngine((db) =>
        rowsOf<{ served: boolean }>(
          db,
          sql`select exists (select from baton.worker_session where ended_at is null and expires_at > baton.clock() and ${pool} = any (pools)) as served`,
        ),
      );
      return rows[0]?.served === true;
    },

    // process
    openSession: async (sessionOptions) => {
      if (session !== undefined) throw new BatonError("internal", "This store has a session already; close it first.");
      session = await openSession({
        ...sessionOptions,
        url: options.url,
        connections,
        newId: options.newId,
        onError: options.onError,
        onStop: (signal) => {
          sessionOptions.onStop?.(signal);
          for (const listen of stopListeners) listen(signal);
        },
      });
      const opened = session;
      slots = sessionOptions.slots;
      return {
        sessionId: opened.sessionId,
        lost: opened.lost,
        attemptsChanged: opened.attemptsChanged,
        close: async () => {
          await attempts.idle();
          await opened.close();
          session = undefined;
        },
      };
    },
    releaseOrphans: (sessionId, performing, olderThanMs) =>
      releaseOrphans(connections, sessionId, performing, olderThanMs),
    listenStops: async (onStop, onBack = () => undefined) => {
      stopListeners.add(onStop);
      // What is missed while the connection is away comes with the next beat.
      const subscription = await listener.listen("baton_stop", {
        onPayload: (payload) => onStop(JSON.parse(payload) as StopSignal),
        onLost: () => undefined,
        onBack,
      });
      return {
        close: async () => {
          stopListeners.delete(onStop);
          await subscription.close();
        },
      };
    },
    listenReady: (onReady) => listener.listen("baton_ready", { onPayload: onReady, onLost: ignore, onBack: ignore }),
    live: createLiveStore(connections, listener),
    limiter: createPostgresLimiter(connections),
    gate,
    close: async () => {
      await relatives.idle();
      await Promise.all([listener.close(), gate.idle()]);
      await connections.close();
    },
  };
}

const ignore = (): void => undefined;

function textOf(parts: readonly unknown[]): string {
  const texts = parts.filter((part): part is { readonly text: string } => {
    const { type, text } = (part ?? {}) as { type?: unknown; text?: unknown };
    return type === "text" && typeof text === "string";
  });
  return texts.map(({ text }) => text).join("\n");
}

function opening<Result>(run: () => Promise<Result>): Promise<Result> {
  return patiently(run, openingPatienceMs);
}

/** 22023 is "role does not exist": the database was never migrated. */
function withMigrationHint(error: unknown): unknown {
  const code = (error as { code?: string }).code;
  if (code !== "22023" && code !== "3F000" && code !== "42P01" && code !== "42501") return error;
  return new BatonError(
    "store-unavailable",
    `The database is not prepared for Baton (${(error as Error).message}). Run "npm run db:migrate" first.`,
    {
      cause: error,
    },
  );
}
