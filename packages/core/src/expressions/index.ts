export { checkExpression, referencedSteps } from "./check.ts";
export type { CheckOptions } from "./check.ts";
export { evaluateExpression, malformedExpression, resolveValue } from "./evaluation.ts";
export type { ExpressionScope } from "./evaluation.ts";
export type { ExpressionProblem } from "./failure.ts";
export { expressionsIn } from "./occurrence.ts";
export type { ExpressionOccurrence } from "./occurrence.ts";
