/** Plans that the cases have in common. Every step records one effect in the sink. */
import type { PlanSpec } from "@baton/core/plan";

export interface EffectArguments {
  /** Waited before the effect takes place, in ms. */
  readonly before_ms?: number;
  /** Waited after it. */
  readonly after_ms?: number;
  readonly label?: string;
}

const effectStep = (id: string, args: EffectArguments) => ({
  id,
  type: "tool" as const,
  tool: "chaos.effect",
  arguments: { ...args },
});

/** One step that kills its process, holds its main thread, or never ends, on its first `attempts`. */
export function misbehavingStep(
  how: "kill" | "spin" | "endless",
  more: { readonly attempts?: number; readonly before_ms?: number; readonly timeoutMs?: number } = {},
): PlanSpec {
  const { timeoutMs, ...args } = more;
  return {
    steps: [
      {
        id: "misbehaving",
        type: "tool",
        tool: "chaos.misbehaving",
        arguments: { how, ...args },
        retry: { max_attempts: 1 },
        ...(timeoutMs !== undefined && { timeout_ms: timeoutMs }),
      },
    ],
  };
}

/** `length` steps, each after the one before it. */
export function effectChain(length: number, args: EffectArguments = {}): PlanSpec {
  return {
    steps: Array.from({ length }, (_, at) => ({
      ...effectStep(`s${at}`, args),
      ...(at > 0 && { depends_on: [`s${at - 1}`] }),
    })),
  };
}

/** `width` steps side by side, and one after all of them. */
export function effectFan(width: number, args: EffectArguments = {}): PlanSpec {
  const fan = Array.from({ length: width }, (_, at) => effectStep(`f${at}`, args));
  return { steps: [...fan, { ...effectStep("join", {}), depends_on: fan.map(({ id }) => id) }] };
}

const prompt =
  "Summarise this text: A queue holds work until a worker takes it. A worker that dies gives nothing back by itself. " +
  "A lease that runs out says that it is gone, and others take the work over.";

/** A model's reply, then `width` effects side by side, then one more: every kind of moment that an attempt can have. */
export function modelThenFan(width: number, args: EffectArguments = {}): PlanSpec {
  const { steps } = effectFan(width, args);
  const fan = steps.map((step) => (step.id === "join" ? step : { ...step, depends_on: ["model"] }));
  return { steps: [{ id: "model", type: "llm", prompt }, ...fan] };
}
