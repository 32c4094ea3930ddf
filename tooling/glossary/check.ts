/** Prints which names and spellings of this repository break its glossary; exits 1 when some do. */
import path from "node:path";
import { scanGlossary } from "./scan.ts";

const { findings, fileCount } = scanGlossary(path.resolve(import.meta.dirname, "../.."), 60);

for (const { rule, where, what } of findings) console.log(`${rule}: ${where}\n    ${what}`);
console.log(`${findings.length} findings in ${fileCount} files`);
process.exitCode = findings.length > 0 ? 1 : 0;
