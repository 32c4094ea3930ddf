/** The routes of evaluations: a decision or a plan without a task. */
import { evaluateDecisionBody, evaluatedDecision, evaluatedPlan, evaluatePlanBody } from "../wire/evaluation.ts";
import * as example from "./examples.ts";
import type { RouteShape } from "./shape.ts";

const base = { tag: "evaluations", method: "POST", scope: "write" } as const;

export const evaluationRoutes = {
  evaluateDecision: {
    ...base,
    path: "/api/v1/evaluations/decision",
    summary: "Say whether a message would become a task; nothing is started",
    body: evaluateDecisionBody,
    bodyExample: example.evaluateDecisionBody,
    answers: [
      {
        status: 200,
        description: "The decision, or why there is none. Its model calls count in the tenant's budget.",
        schema: evaluatedDecision,
        example: example.evaluatedDecision,
      },
    ],
    errors: ["unknown-model"],
  },
  evaluatePlan: {
    ...base,
    path: "/api/v1/evaluations/plan",
    summary: "Decompose a goal into a plan; nothing is started",
    body: evaluatePlanBody,
    bodyExample: example.evaluatePlanBody,
    answers: [
      {
        status: 200,
        description: "The plan, or why there is none. Its model calls count in the tenant's budget.",
        schema: evaluatedPlan,
        example: example.evaluatedPlan,
      },
    ],
    errors: ["unknown-model", "unknown-tool"],
  },
} as const satisfies Record<string, RouteShape>;
