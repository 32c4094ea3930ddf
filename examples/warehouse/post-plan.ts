/** Posts plan.json and follows it to its end. BATON_URL and BATON_API_KEY say where: `npm run dev` prints both. */
import { readFile } from "node:fs/promises";
import { createClient } from "@baton/client";

const client = createClient({
  baseUrl: process.env["BATON_URL"] ?? "http://127.0.0.1:3000",
  apiKey: process.env["BATON_API_KEY"],
});
const body = JSON.parse(await readFile(new URL("./plan.json", import.meta.url), "utf8")) as Parameters<
  typeof client.createTask
>[0];

const { id } = await client.createTask(body);
for await (const event of client.follow(id)) {
  if (event.event === "trace") console.error(`${event.trace.no} ${event.trace.type}`);
}
const task = await client.getTask(id);
console.log(JSON.stringify({ state: task.state, result: task.result, error: task.lastError }));
process.exitCode = task.state === "completed" ? 0 : 1;
