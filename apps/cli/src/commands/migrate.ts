/** `baton migrate` (npm run db:migrate, db:push): brings DATABASE_URL to this version. */
import { requireDatabaseUrl } from "@baton/config";
import { openConsole } from "../console/console.ts";
import { CommandFailure } from "../failure.ts";
import { openProject } from "../local/project.ts";
import { migrate } from "../local/programs.ts";

export async function migrateDatabase(): Promise<number> {
  const { exitCode, output } = await migrate(requireDatabaseUrl(openProject().config));
  if (exitCode !== 0) throw new CommandFailure(exitCode, output);
  openConsole().data(output);
  return 0;
}
