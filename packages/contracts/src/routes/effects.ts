/** The routes of calls to the outside. */
import { z } from "zod";
import { effectAnswer, effectPage, listEffectsQuery, resolveEffectBody } from "../wire/effect.ts";
import { uuid } from "../wire/scalars.ts";
import * as example from "./examples.ts";
import type { RouteShape } from "./shape.ts";

const base = { tag: "effects" } as const;

export const effectRoutes = {
  listEffects: {
    ...base,
    method: "GET",
    path: "/api/v1/tasks/{id}/effects",
    summary: "List a task's calls to the outside, each exactly as it was made",
    scope: "read",
    params: z.strictObject({ id: uuid }),
    query: listEffectsQuery,
    answers: [{ status: 200, description: "One page.", schema: effectPage, example: example.effects }],
    errors: ["not-found", "invalid-cursor"],
  },
  resolveEffect: {
    ...base,
    method: "POST",
    path: "/api/v1/tasks/{id}/steps/{stepId}/effects/{callNo}/resolve",
    summary: "Say what became of a call in doubt",
    scope: "write",
    idempotent: true,
    params: z.strictObject({ id: uuid, stepId: uuid, callNo: z.coerce.number().int().min(1).max(2_147_483_647) }),
    body: resolveEffectBody,
    bodyLimitBytes: 34_000_000,
    bodyExample: { outcome: "succeeded", result: { receipt: "r-17" }, attemptNo: 1, reason: "seen in the ledger" },
    answers: [
      {
        status: 200,
        description:
          "The step, if it failed, goes on by itself: with the result when the call took place; when it did not, it is called again under the same idempotency key. The same word again changes nothing. A word about a call whose outcome is known, about another attempt than the one that made it, or while an attempt runs is refused.",
        schema: effectAnswer,
        example: example.effectAnswer,
      },
    ],
    errors: ["not-found", "illegal-transition"],
  },
} as const satisfies Record<string, RouteShape>;
