/** Which tools a step may call: what is known of them by now, and what its task allows. */
import { BatonError } from "@baton/core";
import type { LogPort, ToolPort } from "@baton/core/ports";
import type { TaskSettings } from "@baton/core/task";
import { untilAnswered } from "../pipeline/patience.ts";

/** Before tools are looked up: what people accepted since this process looked last counts. */
export async function freshTools(
  { tools, log }: { readonly tools: ToolPort; readonly log: LogPort },
  names: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  let reading = tools.refresh?.(names);
  if (reading === undefined) return;
  const read = async () => {
    const under = reading ?? tools.refresh?.(names);
    reading = undefined;
    await under;
    return true;
  };
  const answered = await untilAnswered(read, signal, log, "read-tools");
  if (answered === undefined) throw signal.reason;
}

export const isForeign = (name: string, { tools }: Pick<TaskSettings, "tools">): boolean =>
  tools !== undefined && !tools.includes(name);

/** Throws `unknown-tool` for a tool that the task does not allow, whatever its plan says. */
export function refuseForeign(name: string, settings: Pick<TaskSettings, "tools">): void {
  if (!isForeign(name, settings)) return;
  const allowed = settings.tools?.slice(0, 20).join(", ");
  const message = `The task does not allow the tool "${name}"; it allows ${allowed === "" ? "none" : allowed}.`;
  throw new BatonError("unknown-tool", message, { details: { sent: false, name } });
}
