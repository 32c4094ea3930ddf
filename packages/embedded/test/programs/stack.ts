/** Owns a stack of children in the modes that argv names after the data folder. */
import { fileURLToPath } from "node:url";
import { superviseStack } from "../../src/index.ts";

const [, , dataDir = "", ...modes] = process.argv;
const child = fileURLToPath(new URL("./child.ts", import.meta.url));
const say = (fact: unknown) => console.log(JSON.stringify(fact));

const stack = await superviseStack({
  dataDir,
  graceMs: 2_000,
  onLine: (line) => say({ line: line.text, of: line.name }),
  onChild: (event) => say(event),
  children: (databaseUrl) =>
    Promise.resolve(
      modes.map((mode, at) => ({
        name: `${mode}-${at}`,
        command: process.execPath,
        args: [child, mode],
        env: { URL_FOR_CHILD: databaseUrl },
      })),
    ),
});
if (!stack.attached) await stack.publish({ api: "http://127.0.0.1:1" });
say({ url: stack.databaseUrl, attached: stack.attached, urls: stack.urls });
if (!stack.attached) say({ end: await stack.ended });
