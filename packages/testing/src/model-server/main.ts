/**
 * The scripted model server as a process of its own: `node main.ts [script.json] [--port N]`.
 *
 * Prints one JSON line `{"url": …}` to stdout once it listens. Without a script every request is
 * answered with a fixed text. Leaves on SIGTERM, SIGINT, or when its stdin pipe closes under `--with-parent`.
 */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import type { ModelServerScript } from "./script.ts";
import { startModelServer } from "./server.ts";

const { values, positionals } = parseArgs({
  options: { port: { type: "string" }, "with-parent": { type: "boolean" } },
  allowPositionals: true,
});
const path = positionals[0];
const script: ModelServerScript =
  path === undefined
    ? { fallback: { text: "A scripted answer." } }
    : (JSON.parse(readFileSync(path, "utf8")) as ModelServerScript);
const server = await startModelServer(script, values.port === undefined ? {} : { port: Number(values.port) });
process.stdout.write(`${JSON.stringify({ url: server.url })}\n`);

const leave = (): void => {
  server.close().then(
    () => process.exit(0),
    (error: unknown) => {
      process.stderr.write(`${String(error)}\n`);
      process.exit(1);
    },
  );
};
process.on("SIGTERM", leave);
process.on("SIGINT", leave);
if (values["with-parent"] === true) process.stdin.on("end", leave).resume();
