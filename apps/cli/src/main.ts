/**
 * The command line.
 *
 * Purpose: what a person types, and what a script calls. Boundary: it speaks to the api like every client; only
 * `dev` and `demo` also start processes, and `config` alone reads settings to show them.
 *
 * 1. Data goes to standard output, everything else to standard error; without a terminal there is no progress.
 * 2. The exit code says how it ended: 0 completed, else the code of the error (sysexits(3)).
 * 3. A wrong command line ends with 64 and names the fix.
 */
import { CommanderError } from "commander";
import { runCommandLine } from "./command-line.ts";
import { endWithReader } from "./console/console.ts";
import { exits, failureOf } from "./failure.ts";

endWithReader();
try {
  process.exitCode = await runCommandLine(process.argv.slice(2));
} catch (error) {
  if (error instanceof CommanderError) {
    // Help and version are asked for; everything else has been explained by commander.
    process.exitCode = error.exitCode === 0 ? 0 : exits.usage;
  } else {
    const { exitCode, message } = failureOf(error);
    process.stderr.write(`baton: ${message}\n`);
    process.exitCode = exitCode;
  }
}
