/** A child of a stack. argv: how it behaves. */
import { spawn } from "node:child_process";
import { leaveWithParent } from "../../src/lifetime/lifetime.ts";

const mode = process.argv[2];
const database = process.env["URL_FOR_CHILD"]?.slice(0, 11);
const hasParent = leaveWithParent({ graceMs: 1_000 });
if (mode === "stubborn") process.on("SIGTERM", () => undefined);
if (mode === "parent") spawn("sleep", ["600"], { stdio: "ignore" });
if (mode === "polite") {
  process.on("SIGTERM", () => {
    setTimeout(() => {
      console.log("down in order");
      process.exit(0);
    }, 100);
  });
}
// Said last: whoever reads it may rely on the signal handlers.
console.log(`up ${hasParent} ${database} ${process.env["BATON_LIFETIME_FD"]}`);
if (mode === "crashing") process.exit(3);
if (mode === "blocked") {
  console.log("blocking");
  for (;;);
}
setInterval(() => undefined, 60_000);
