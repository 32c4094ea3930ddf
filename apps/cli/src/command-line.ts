/** Every command with its options, as commander knows them. */
import { Command, InvalidArgumentError } from "commander";
import { showConfig } from "./commands/config.ts";
import { dev } from "./commands/dev.ts";
import { migrateDatabase } from "./commands/migrate.ts";

/** Resolves to the exit code. Rejects with a CommanderError for a wrong command line, or what the command threw. */
export async function runCommandLine(argv: readonly string[]): Promise<number> {
  let exitCode = 0;
  const program = new Command("baton")
    .description("Long AI work, run to the end.")
    .showHelpAfterError('("baton --help" lists commands and options)')
    .configureHelp({ showGlobalOptions: false })
    .exitOverride();
  const ends =
    <A extends unknown[]>(code: (...args: A) => Promise<number> | number) =>
    async (...args: A): Promise<void> => {
      exitCode = await code(...args);
    };

  program
    .command("dev")
    .description("start PostgreSQL, api and workers here, and keep them up")
    .option("--data <folder>", "where data lives (default: .baton)")
    .option("--workers <n>", "worker processes", count, 1)
    .option("--port <port>", "of the api; 0 takes a free one", portNumber)
    .option("--tools <folder>", "your own tools (default: tools/ when it exists)")
    .option("--verbose", "show every log line")
    .action(ends(dev));
  program
    .command("config")
    .description("print the settings in force; secrets are masked")
    .option("--json", "one JSON object per line")
    .action(ends(showConfig));
  program.command("migrate").description("bring DATABASE_URL to this version").action(ends(migrateDatabase));

  await program.parseAsync([...argv], { from: "user" });
  return exitCode;
}

function count(text: string): number {
  if (/^[1-9]\d{0,2}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("Name a whole number from 1 to 999.");
}

function portNumber(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text);
  throw new InvalidArgumentError("Name a port from 0 to 65535.");
}
