/**
 * The code of evaluations: what a model decides, with its cost, and nothing kept but what it cost.
 *
 * 1. A model that fails is an answer with its error; what is wrong with the request is a problem.
 * 2. A plan passes the checks that the plan of a task passes.
 */
import { BatonError } from "@baton/core";
import type { BatonEvent } from "@baton/core/events";
import type { ApiDeps } from "../deps.ts";
import type { Call, RouteCode } from "../routing/call.ts";
import type { TaskCreation } from "../tasks/creation.ts";
import { present } from "../tasks/wire.ts";

const called = (traces: readonly BatonEvent[]) =>
  traces.flatMap((trace) => (trace.type === "model-called" ? [trace.data] : []));
const rejected = (traces: readonly BatonEvent[]) =>
  traces.flatMap((trace) => (trace.type === "plan-rejected" ? [{ problems: [...trace.data.problems] }] : []));

function costOf(traces: readonly BatonEvent[]) {
  const calls = called(traces);
  const priced = calls.flatMap(({ costUsd }) => costUsd ?? []);
  return {
    count: calls.length,
    inputTokens: calls.reduce((sum, { inputTokens }) => sum + inputTokens, 0),
    outputTokens: calls.reduce((sum, { outputTokens }) => sum + outputTokens, 0),
    estimated: calls.some(({ estimated }) => estimated),
    costUsd: priced.length < calls.length ? null : priced.reduce((sum, usd) => sum + usd, 0),
  };
}

/** @throws what is no error of a model, and the reason of a caller who has left */
async function asked<T>(signal: AbortSignal, ask: (trace: (trace: BatonEvent) => void) => Promise<T>) {
  const traces: BatonEvent[] = [];
  const startedAt = performance.now();
  const outcome = await ask((trace) => void traces.push(trace)).then(
    (value) => ({ value, error: undefined }),
    (error: unknown) => {
      if (signal.aborted || !(error instanceof BatonError)) throw error;
      return { value: undefined, error: { code: error.code, message: error.message } };
    },
  );
  return { ...outcome, traces, calls: costOf(traces), durationMs: Math.round(performance.now() - startedAt) };
}

async function decision(deps: ApiDeps, creation: TaskCreation, call: Call<"evaluateDecision">) {
  const { body, principal, request } = call;
  const { model } = await creation.settingsNamed(present({ model: body.model }));
  const { signal } = request;
  const { value, error, calls, durationMs, traces } = await asked(signal, (trace) =>
    deps.decide(body.message, { tenantId: principal.tenantId, model, signal, trace }),
  );
  const { orchestrate, confidence, reasons = [], rule, unanswered } = value ?? {};
  const unusable = unanswered && { code: "output-invalid", message: reasons[0] ?? "" };
  return {
    status: 200 as const,
    body: {
      ...present({ error: error ?? unusable }),
      ...(orchestrate !== undefined &&
        confidence !== undefined && {
          decision: { orchestrate, confidence, reasons: [...reasons], ...present({ rule }) },
        }),
      model: deps.models.resolve(model),
      calls,
      durationMs,
      offline: value?.offline ?? called(traces).every(({ offline }) => offline),
    },
  };
}

async function plan(deps: ApiDeps, creation: TaskCreation, call: Call<"evaluatePlan">) {
  const { body, principal, request } = call;
  const { signal } = request;
  const settings = await creation.settingsNamed(present({ model: body.model, tools: body.tools }));
  const allowed = settings.tools === undefined ? undefined : new Set(settings.tools);
  const tools = deps.tools.list().filter(({ name }) => allowed === undefined || allowed.has(name));
  const { value, error, calls, durationMs, traces } = await asked(signal, (trace) =>
    deps.decompose(body.goal, tools, {
      tenantId: principal.tenantId,
      model: settings.model,
      ...{ signal, trace, settings, input: body.input },
    }),
  );
  return {
    status: 200 as const,
    body: {
      ...present({ error, plan: value?.plan, estimatedDurationMs: value?.estimatedDurationMs }),
      rejected: rejected(traces),
      model: deps.models.resolve(settings.model),
      calls,
      durationMs,
      offline: value?.offline ?? called(traces).every(({ offline }) => offline),
    },
  };
}

export function evaluationCode(
  deps: ApiDeps,
  creation: TaskCreation,
): Pick<RouteCode, "evaluateDecision" | "evaluatePlan"> {
  return {
    evaluateDecision: (call) => decision(deps, creation, call),
    evaluatePlan: (call) => plan(deps, creation, call),
  };
}
