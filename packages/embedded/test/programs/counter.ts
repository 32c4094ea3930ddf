/** Adds one to a number in a file, many times, each time under the lock. argv: folder, times. */
import { readFileSync, writeFileSync } from "node:fs";
import { withLock } from "../../src/lifetime/lock.ts";

const [, , folder = "", times] = process.argv;
for (let turn = 0; turn < Number(times); turn += 1) {
  await withLock(`${folder}/lock`, 60_000, async () => {
    const before = Number(readFileSync(`${folder}/count`, "utf8"));
    await new Promise(setImmediate);
    writeFileSync(`${folder}/count`, String(before + 1));
  });
}
