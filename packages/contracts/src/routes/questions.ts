/** The routes of what steps ask people. */
import { z } from "zod";
import {
  answerQuestionBody,
  approveBody,
  listQuestionsQuery,
  question,
  questionAnswer,
  questionPage,
  rejectBody,
} from "../wire/question.ts";
import { uuid } from "../wire/scalars.ts";
import * as example from "./examples.ts";
import type { RouteShape } from "./shape.ts";

const base = { tag: "questions" } as const;
const byId = z.strictObject({ id: uuid });
const word = { ...base, method: "POST", scope: "write", idempotent: true, params: byId } as const;
const errors = ["not-found", "illegal-transition", "forbidden"] as const;

export const questionRoutes = {
  listQuestions: {
    ...base,
    method: "GET",
    path: "/api/v1/questions",
    summary: "List what steps ask people",
    scope: "read",
    query: listQuestionsQuery,
    answers: [{ status: 200, description: "One page.", schema: questionPage, example: example.questions }],
    errors: ["invalid-cursor"],
  },
  getQuestion: {
    ...base,
    method: "GET",
    path: "/api/v1/questions/{id}",
    summary: "Read one question",
    scope: "read",
    params: byId,
    answers: [{ status: 200, description: "The question.", schema: question, example: example.question }],
    errors: ["not-found"],
  },
  answerQuestion: {
    ...word,
    path: "/api/v1/questions/{id}/answer",
    summary: "Answer an agent's question",
    body: answerQuestionBody,
    bodyExample: { answer: "The one of March." },
    answers: [
      {
        status: 200,
        description: "Its step goes on when nothing else that it asked is open. The same answer again changes nothing.",
        schema: questionAnswer,
        example: { ...example.questionAnswer, state: "answered" },
      },
    ],
    errors,
  },
  approveCall: {
    ...word,
    path: "/api/v1/questions/{id}/approve",
    summary: "Let a call be made, as it is or with other arguments",
    body: approveBody,
    bodyOptional: true,
    bodyLimitBytes: 34_000_000,
    bodyExample: { arguments: { to: "team@example.org" }, reason: "internally first" },
    answers: [
      {
        status: 200,
        description:
          "It is made when as many have approved the same arguments as `quorum` says; until then the question stays open. The same word again changes nothing; one about a closed question, or after it expired, is refused.",
        schema: questionAnswer,
        example: example.questionAnswer,
      },
    ],
    errors,
  },
  rejectCall: {
    ...word,
    path: "/api/v1/questions/{id}/reject",
    summary: "Keep a call from being made",
    body: rejectBody,
    bodyExample: { reason: "the customer has left" },
    answers: [
      {
        status: 200,
        description: "An agent is told of it, with the reason, and goes on; a tool step is out of attempts.",
        schema: questionAnswer,
        example: { ...example.questionAnswer, state: "rejected" },
      },
    ],
    errors,
  },
} as const satisfies Record<string, RouteShape>;
