/**
 * What a step asks people, and waits for without a worker.
 *
 * 1. A question is about one call of its step: of `ask_user`, or of a tool that a rule holds back.
 * 2. It is closed once, and what closed it stays.
 */
import type { ToolEffect } from "../ports/tool.ts";

export const questionKinds = ["question", "approval"] as const;
export type QuestionKind = (typeof questionKinds)[number];

/** `withdrawn`: its task was cancelled, or its step ended in another way. */
export const questionStates = ["open", "answered", "approved", "rejected", "expired", "withdrawn"] as const;
export type QuestionState = (typeof questionStates)[number];

/** What a person is asked: a text, or whether a call may be made exactly like this. */
export type QuestionSubject =
  | { readonly text: string; readonly options?: readonly string[] }
  | { readonly tool: string; readonly effect: ToolEffect; readonly arguments: unknown };

export interface NewQuestion {
  readonly questionId: string;
  readonly callNo: number;
  readonly kind: QuestionKind;
  readonly subject: QuestionSubject;
  /** Ids or names of API keys; empty: every key that may write. */
  readonly approvers: readonly string[];
  readonly quorum: number;
  readonly expiresInMs?: number;
}

/** As the step that asked finds it again. */
export interface AskedQuestion {
  readonly questionId: string;
  readonly callNo: number;
  readonly attemptNo: number;
  readonly kind: QuestionKind;
  readonly state: QuestionState;
  readonly subject: QuestionSubject;
  /** The text of an answer, or the arguments that were approved. */
  readonly answer?: unknown;
  readonly reason?: string;
}

/** The name under which an agent asks its user; no tool of an installation can have it. */
export const askUser = "ask_user";
