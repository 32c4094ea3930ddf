/**
 * Adds one to a number in a file, many times, each time under the lock, and leaves the lock as a killed holder
 * would. argv: folder, times.
 */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { ownIdentity } from "../../src/lifetime/identity.ts";
import { tryLock } from "../../src/lifetime/lock.ts";

const [, , folder = "", times] = process.argv;
for (let turn = 0; turn < Number(times); ) {
  const lock = await tryLock(`${folder}/lock`);
  if (!("release" in lock)) continue;
  const before = Number(readFileSync(`${folder}/count`, "utf8"));
  await new Promise(setImmediate);
  writeFileSync(`${folder}/count`, String(before + 1));
  writeFileSync(`${folder}/void-${process.pid}`, JSON.stringify({ ...ownIdentity(), born: "an earlier life" }));
  renameSync(`${folder}/void-${process.pid}`, `${folder}/lock`);
  turn += 1;
}
