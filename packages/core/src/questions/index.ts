export { askUser, questionKinds, questionStates } from "./question.ts";
export type { AskedQuestion, NewQuestion, QuestionKind, QuestionState, QuestionSubject } from "./question.ts";
export { approvalNeeded, approvalRule } from "./rules.ts";
export type { ApprovalRule, IntendedCall } from "./rules.ts";
