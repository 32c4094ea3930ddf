/** The routes of dead letters. */
import { z } from "zod";
import {
  deadLetterDetails,
  deadLetterPage,
  letterAnswer,
  lettersRetried,
  listDeadLettersQuery,
  resolveLetterBody,
  retryLetterBody,
  retryLettersBody,
} from "../wire/dead-letter.ts";
import { uuid } from "../wire/scalars.ts";
import * as example from "./examples.ts";
import type { RouteShape } from "./shape.ts";

const byId = z.strictObject({ id: uuid });
const base = { tag: "dead-letters" } as const;
const write = { ...base, method: "POST", scope: "write", idempotent: true } as const;

export const deadLetterRoutes = {
  listDeadLetters: {
    ...base,
    method: "GET",
    path: "/api/v1/dead-letters",
    summary: "List steps that are out of attempts, grouped by cause",
    scope: "read",
    query: listDeadLettersQuery,
    answers: [{ status: 200, description: "One page.", schema: deadLetterPage, example: example.deadLetters }],
    errors: ["invalid-cursor"],
  },
  retryDeadLetters: {
    ...write,
    path: "/api/v1/dead-letters/retry",
    summary: "Retry every dead letter of a cause, of a task, or by id",
    body: retryLettersBody,
    bodyExample: { code: "provider-unavailable", reason: "the provider is back" },
    answers: [
      {
        status: 200,
        description: "What had failed when the request came is reopened; what fails again meanwhile stays.",
        schema: lettersRetried,
        example: { retriedSteps: 1_000, retriedTasks: 940 },
      },
    ],
    errors: [],
  },
  getDeadLetter: {
    ...base,
    method: "GET",
    path: "/api/v1/dead-letters/{id}",
    summary: "Read one dead letter with its attempts, its inputs and its calls to the outside",
    scope: "read",
    params: byId,
    answers: [
      { status: 200, description: "The dead letter.", schema: deadLetterDetails, example: example.deadLetterDetails },
    ],
    errors: ["not-found"],
  },
  retryDeadLetter: {
    ...write,
    path: "/api/v1/dead-letters/{id}/retry",
    summary: "Retry one dead letter",
    params: byId,
    body: retryLetterBody,
    bodyOptional: true,
    bodyExample: { reason: "the provider is back" },
    answers: [
      {
        status: 200,
        description: "It is performed again, with attempts as at first; `changed` is false when it goes on already.",
        schema: letterAnswer,
        example: { ...example.letterAnswer, state: "ready" },
      },
    ],
    errors: ["not-found", "illegal-transition"],
  },
  resolveDeadLetter: {
    ...write,
    path: "/api/v1/dead-letters/{id}/resolve",
    summary: "Settle one dead letter by hand: with an output, or without",
    params: byId,
    body: resolveLetterBody,
    bodyLimitBytes: 34_000_000,
    bodyExample: { output: { sent: true }, reason: "sent by hand" },
    answers: [
      {
        status: 200,
        description:
          "With an output it is completed, conditions on its edges are judged, and what waits for it goes on; skipped, what cannot run without it is skipped too. The same resolution again changes nothing. A step of kind `plan` is not resolved: its outcome is the steps it adds, which an output cannot carry; retry it or cancel the task. One of kind `evaluate` can only be skipped, which ends the task with what it has.",
        schema: letterAnswer,
        example: example.letterAnswer,
      },
    ],
    errors: ["not-found", "illegal-transition", "invalid-expression"],
  },
} as const satisfies Record<string, RouteShape>;
