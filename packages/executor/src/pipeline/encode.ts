/**
 * The stage `encode`: from how an attempt ended to the outcome that is settled.
 *
 * An output that cannot be stored, or a condition that cannot be judged, is the step's own failure.
 */
import { BatonError } from "@baton/core";
import type { ClaimedStep, Outcome, Performed } from "@baton/core/ports";
import { failureOutcome } from "../attempt/outcome.ts";
import type { AttemptEnd } from "../attempt/outcome.ts";
import { encodeOutput } from "../output/encoding.ts";
import type { Prepared } from "./prepare.ts";

/** Nothing is settled when the attempt was somebody else's by then. */
export function encodeOutcome(
  step: ClaimedStep,
  end: AttemptEnd,
  prepared: Prepared | undefined,
  random: () => number,
): Outcome | undefined {
  try {
    return outcomeOf(step, end, prepared, random);
  } catch (error) {
    return failureOutcome(step, error, random());
  }
}

function outcomeOf(
  step: ClaimedStep,
  end: AttemptEnd,
  prepared: Prepared | undefined,
  random: () => number,
): Outcome | undefined {
  switch (end.end) {
    case "lost":
      return undefined;
    case "stopped":
      return { outcome: "released", reason: end.reason };
    case "failed":
      return failureOutcome(step, end.error, random());
    case "performed":
      return performedOutcome(step, end.performed, prepared);
  }
}

function performedOutcome(step: ClaimedStep, performed: Performed, prepared: Prepared | undefined): Outcome {
  switch (performed.performed) {
    case "expanded":
      return { outcome: "expanded", items: performed.items, concurrency: performed.concurrency };
    case "deferred":
      return { outcome: "deferred", adds: performed.adds };
    case "asked":
      return { outcome: "asked", questions: performed.questions, children: performed.children ?? [] };
    case "output": {
      if (prepared === undefined) throw new BatonError("internal", "A step was performed without being prepared.");
      const { output, adds, result, estimatedDurationMs } = performed;
      return {
        outcome: "completed",
        outputJson: encodeOutput(output, step.type === "tool" ? "tool-output-invalid" : "output-invalid"),
        deadEdges: prepared.deadEdges(output),
        ...(adds !== undefined && { adds }),
        ...(result !== undefined && { result }),
        ...(estimatedDurationMs !== undefined && { estimatedDurationMs }),
      };
    }
  }
}
