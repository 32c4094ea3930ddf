/**
 * `node tooling/generate.ts` writes every generated file; with `--check` it changes nothing and exits 1 when a file
 * differs from what its sources say.
 */
import path from "node:path";
import { compareGenerated, writeGenerated } from "./generated/generation.ts";
import { generators } from "./generated/generators.ts";

const root = path.resolve(import.meta.dirname, "..");
const isCheck = process.argv.includes("--check");
const differences = await (isCheck ? compareGenerated : writeGenerated)(root, generators);

for (const { generator, file, kind, line } of differences) {
  console.log(`${kind}: ${file}${line === undefined ? "" : `:${line}`} (${generator})`);
}
const names = generators.map(({ name }) => name).join(", ");
console.log(`${differences.length} ${isCheck ? "differences" : "files written"}; generators: ${names || "none"}`);
if (isCheck && differences.length > 0) {
  console.log("Run `node tooling/generate.ts` and commit what it writes.");
  process.exitCode = 1;
}
