/** The effect sink as a program: POST appends one line to a file, GET says that it is there. */
import { openSync, writeSync } from "node:fs";
import { createServer } from "node:http";
import { leaveWithParent } from "@baton/embedded/lifetime";

leaveWithParent();
const file = openSync(String(process.env["SINK_FILE"]), "a");

createServer((request, response) => {
  if (request.method !== "POST") return void response.end("here\n");
  let body = "";
  request.setEncoding("utf8");
  request.on("data", (chunk: string) => (body += chunk));
  request.on("end", () => {
    // One write(2) of one line: lines of several senders never mix.
    writeSync(file, `${JSON.stringify({ at: Date.now(), ...(JSON.parse(body) as object) })}\n`);
    response.end("recorded\n");
  });
}).listen(Number(process.env["SINK_PORT"]), "127.0.0.1");
