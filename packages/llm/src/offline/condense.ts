/** A context in fewer words: every source's best sentences, and its decisions when the goal is about them. */
import type { Material } from "@baton/core/ports";
import { estimateTextTokens } from "../tokens.ts";
import { findDecisions } from "./findings/decisions.ts";
import type { Finding } from "./findings/finding.ts";
import { summarize } from "./findings/summary.ts";
import { type Source, workloadOf } from "./material.ts";
import { asksFor } from "./operations.ts";
import { labelled, sections } from "./rendering.ts";

export interface Context {
  readonly goal: string;
  readonly material: readonly Material[];
  readonly maxTokens: number;
}

/** Starts from what the limit could hold and takes fewer sentences per source until the text fits. */
export function condense({ goal, material, maxTokens }: Context): string {
  const { sources } = workloadOf("", material);
  const perSource = Math.ceil((maxTokens * 3) / Math.max(1, sources.length));
  for (let sentenceCount = 12; sentenceCount > 0; sentenceCount = Math.floor(sentenceCount / 1.5)) {
    const text = labelled(sections(sources.flatMap((source) => best(source, goal, sentenceCount, perSource))));
    if (estimateTextTokens(text) <= maxTokens) return text;
  }
  return trimmed(
    sources.flatMap((source) => best(source, goal, 1, 300)),
    maxTokens,
  );
}

function best(source: Source, goal: string, sentenceCount: number, charCount: number): readonly Finding[] {
  const decided = asksFor("decisions", goal) ? findDecisions(source).slice(0, sentenceCount) : [];
  const known = new Set(decided.map(({ text }) => text));
  const rest = summarize(source, { sentenceCount: Math.max(1, sentenceCount - decided.length), charCount });
  return [...decided, ...rest.filter(({ text }) => !known.has(text))];
}

/** As many whole findings as fit. */
function trimmed(findings: readonly Finding[], maxTokens: number): string {
  let kept = labelled("");
  for (let count = 1; count <= findings.length; count += 1) {
    const text = labelled(sections(findings.slice(0, count)));
    if (estimateTextTokens(text) > maxTokens) break;
    kept = text;
  }
  return kept;
}
