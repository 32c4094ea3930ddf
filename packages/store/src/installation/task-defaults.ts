/** As baton_engine: the row is no tenant's, and it exists since the secret was asked for. Index: primary key. */
import type { TaskSettingsInput } from "@baton/core/task";
import type { Connections } from "../connection/pools.ts";

export async function keepTaskDefaults(
  { engine }: Pick<Connections, "engine">,
  defaults: TaskSettingsInput,
): Promise<void> {
  const json = JSON.stringify(defaults);
  await engine("update baton.installation set task_defaults = $1::jsonb where task_defaults <> $1::jsonb", [json]);
}
