/**
 * What the wording of a message says about whether it needs a plan, without any model.
 *
 * Purpose: one judgement for the orchestrator, which asks no model where the wording is clear, and for the offline
 * model, which has nothing else. Boundary: words and punctuation; nothing is understood.
 *
 * 1. Only the writer's own request counts: code, quotations, stories and words to whoever decides are left out.
 * 2. Signs add up; one of them gives its name to the verdict.
 * 3. Linear in the message; only its first 20,000 characters are read.
 */
export { judgeWording } from "./judge.ts";
export type { WordingVerdict } from "./judge.ts";
