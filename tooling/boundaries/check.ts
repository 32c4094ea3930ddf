/** Prints what breaks a boundary of this repository; exits 1 when something does. */
import path from "node:path";
import { scanBoundaries } from "./scan.ts";

const root = path.resolve(import.meta.dirname, "../..");
const { findings, moduleCount, importCount } = scanBoundaries(root, { modules: 40, roomImports: 10 });

for (const { rule, where, what } of findings) console.log(`${rule}: ${where}\n    ${what}`);
console.log(`${findings.length} findings in ${moduleCount} modules with ${importCount} imports`);
process.exitCode = findings.length > 0 ? 1 : 0;
