/**
 * The gate before a provider's model, batched: many calls' questions, and many reports, in one round trip; see gate.sql.
 *
 * 1. Questions and reports each have a connection of their own and go one flush after the other, so that calls of one
 *    process cost little however many they are.
 * 2. A report that nobody takes is forgotten: the next one tells the same.
 */
import { type Admission, type CallNeed, type CallReport, limitKinds, type ProviderGate } from "@baton/core/ports";
import { createBatcher } from "../connection/batcher.ts";
import type { Connections } from "../connection/pools.ts";

export interface GateOptions {
  readonly connections: Connections;
  readonly newId: () => string;
  readonly patienceMs: number;
  readonly onError: (error: Error) => void;
}

export interface OwnedGate extends ProviderGate {
  /** Resolves when every report is told. */
  idle(): Promise<void>;
}

type Refused = Extract<Admission, { readonly refused: unknown }>["refused"];

type WireAnswer =
  | {
      readonly call: number;
      readonly admitted: readonly number[];
      readonly probe: boolean;
      readonly watched: boolean;
      readonly wait: number;
    }
  | (Omit<Refused, "kind" | "waitMs"> & { readonly wait: number; readonly kind?: number });

const limits = { maxItems: 200, maxBytes: 4_194_304, sizeOf: () => 300 };

export function createProviderGate({ connections, newId, patienceMs, onError }: GateOptions): OwnedGate {
  const [asking, telling] = [connections.lane(), connections.lane()];
  const common = { ...limits, newFlushId: newId, patienceMs };
  const questions = createBatcher<CallNeed, Admission>({
    ...common,
    async flush(needs) {
      const wire = needs.map(({ key, inputTokens: input, outputTokens: output }) => ({ key, input, output }));
      const rows = await asking.engine<{ answers: Readonly<Record<string, WireAnswer>> }>(
        "select baton_v1.admit_calls($1) as answers",
        [JSON.stringify(wire)],
      );
      return needs.map(({ key }, at) => answerFromWire(key, rows[0]?.answers[at + 1] as WireAnswer));
    },
  });
  const reports = createBatcher<CallReport, undefined>({
    ...common,
    async flush(told) {
      await telling.engine("select baton_v1.report_calls($1)", [JSON.stringify(told.map(reportToWire))]);
      return told.map(() => undefined);
    },
  });
  return {
    admitCall: (need) => questions.add(need),
    reportCall: (report) => void reports.add(report).catch(onError),
    idle: reports.idle,
  };
}

function answerFromWire(key: string, answer: WireAnswer): Admission {
  if ("reason" in answer) {
    const { wait: waitMs, kind, ...refused } = answer;
    const limit = kind === undefined ? undefined : limitKinds[kind - 1];
    return { refused: { ...refused, waitMs, ...(limit !== undefined && { kind: limit }) } };
  }
  const { call: callNo, admitted, probe: isProbe, watched: isWatched, wait: waitMs } = answer;
  return { pass: { key, callNo, admitted, isProbe, isWatched }, waitMs };
}

function reportToWire({ pass, limits: told, outcome, retryAfterMs, problem }: CallReport): Record<string, unknown> {
  const { key, callNo: call, admitted } = pass;
  const report = { key, call, admitted, outcome, retry: retryAfterMs, problem: problem?.slice(0, 500) };
  if (told === undefined) return report;
  const each = (field: "limit" | "remaining" | "resetMs") => limitKinds.map((kind) => told[kind]?.[field] ?? null);
  return { ...report, limits: each("limit"), left: each("remaining"), reset: each("resetMs") };
}
