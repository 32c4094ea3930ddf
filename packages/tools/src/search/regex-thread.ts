/** The thread of `matcher.ts`: one pattern, texts in, matches out, in order. */
import { parentPort, workerData } from "node:worker_threads";
import { matchLines } from "./lines.ts";

const pattern = new RegExp(workerData as string, "iu");

parentPort?.on("message", ({ text, max }: { text: string; max: number }) => {
  parentPort?.postMessage(matchLines(pattern, text, max));
});
