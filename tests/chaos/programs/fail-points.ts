/** What a process does to itself at named moments, as its environment says it. */
import type { FailPoint } from "@baton/core/ports";

export interface FailPointPlan {
  readonly at: FailPoint;
  /** The n-th time that the process comes by; default the first. */
  readonly nth?: number;
  /** Only at steps of this task. */
  readonly taskId?: string;
  /** "hang": whoever comes by from then on never goes on, while the process lives. */
  readonly signal: "SIGKILL" | "SIGSTOP" | "hang";
}

type FailPoints = (name: FailPoint, ref: { readonly taskId: string }) => Promise<void>;

/** `json` is a list of FailPointPlan; undefined when there is none. */
export function failPointsOf(json: string | undefined): FailPoints | undefined {
  if (json === undefined || json === "") return undefined;
  const plans = (JSON.parse(json) as readonly FailPointPlan[]).map((plan) => ({ ...plan, left: plan.nth ?? 1 }));
  return async (name, { taskId }) => {
    for (const plan of plans) {
      if (plan.at !== name || (plan.taskId !== undefined && plan.taskId !== taskId)) continue;
      plan.left -= 1;
      if (plan.left > 0 || (plan.left < 0 && plan.signal !== "hang")) continue;
      process.stderr.write(`fail-point ${name}: ${plan.signal}\n`);
      if (plan.signal !== "hang") process.kill(process.pid, plan.signal);
      // A signal to oneself is delivered within the call, but SIGKILL need not end other threads at once.
      if (plan.signal !== "SIGSTOP") await new Promise(() => undefined);
    }
  };
}
