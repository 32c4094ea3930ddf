import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type ModelServer, startModelServer } from "@baton/testing/model-server";
import { afterEach, expect, it, vi } from "vitest";

let server: ModelServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

const post = (url: string, path: string, body: unknown, signal?: AbortSignal) =>
  fetch(`${url}${path}`, { method: "POST", body: JSON.stringify(body), ...(signal === undefined ? {} : { signal }) });
const question = (content: string) => ({ model: "m", messages: [{ role: "user", content }] });

it("rules answer first, then the queue, then the fallback; without any of them it is a 500", async () => {
  server = await startModelServer({
    rules: [{ contains: "weather", reply: { text: "sunny" }, times: 1 }],
    replies: [{ text: "queued" }],
  });
  const { url } = server;
  const say = async (content: string) => {
    const answer = await post(url, "/v1/messages", question(content));
    const body = (await answer.json()) as { content?: { text: string }[] };
    return body.content?.[0]?.text ?? answer.status;
  };
  expect(await say("the weather?")).toBe("sunny");
  expect(await say("the weather?")).toBe("queued");
  expect(await say("anything")).toBe(500);
  server.push({ text: "pushed" });
  expect(await say("anything")).toBe("pushed");
});

it("both vendors' streams end as their protocols say", async () => {
  server = await startModelServer({ fallback: { text: "one two" } });
  const messages = await (await post(server.url, "/v1/messages", { ...question("x"), stream: true })).text();
  expect(messages.match(/^event: .*$/gm)).toEqual([
    "event: message_start",
    "event: content_block_start",
    "event: content_block_delta",
    "event: content_block_delta",
    "event: content_block_stop",
    "event: message_delta",
    "event: message_stop",
  ]);
  const chat = await (await post(server.url, "/v1/chat/completions", { ...question("x"), stream: true })).text();
  expect(chat.trimEnd().endsWith("data: [DONE]")).toBe(true);
  expect(server.requests.map(({ wire, outcome }) => [wire, outcome])).toEqual([
    ["anthropic", "answered"],
    ["openai", "answered"],
  ]);
});

it("a client that goes away is recorded as aborted, a scripted break as broken", async () => {
  server = await startModelServer({ replies: [{ fault: { kind: "hang" } }, { text: "x", fault: { kind: "reset" } }] });
  const controller = new AbortController();
  const call = post(server.url, "/v1/messages", question("x"), controller.signal);
  const { requests } = server;
  await vi.waitFor(() => expect(requests).toHaveLength(1), { timeout: 20_000 });
  controller.abort();
  await expect(call).rejects.toThrow();
  await expect(post(server.url, "/v1/messages", question("x"))).rejects.toThrow();
  await vi.waitFor(() => expect(requests.map(({ outcome }) => outcome)).toEqual(["aborted", "broken"]), {
    timeout: 20_000,
  });
});

it("close ends a hanging answer", async () => {
  const own = await startModelServer({ replies: [{ fault: { kind: "hang" } }] });
  const call = expect(post(own.url, "/v1/messages", question("x"))).rejects.toThrow();
  await vi.waitFor(() => expect(own.requests).toHaveLength(1), { timeout: 20_000 });
  await own.close();
  await call;
});

it("runs as a process of its own on a script file, and leaves on SIGTERM", async () => {
  const folder = await mkdtemp(join(tmpdir(), "model-server-"));
  const script = join(folder, "script.json");
  await writeFile(script, JSON.stringify({ fallback: { text: "from the file" } }));
  const main = fileURLToPath(new URL("../src/model-server/main.ts", import.meta.url));
  const child = spawn(process.execPath, [main, script], { stdio: ["pipe", "pipe", "inherit"] });
  try {
    const [line] = (await once(child.stdout, "data")) as [Buffer];
    const { url } = JSON.parse(line.toString()) as { url: string };
    const answer = await (await post(url, "/v1/chat/completions", question("x"))).json();
    expect(answer).toMatchObject({ choices: [{ message: { content: "from the file" }, finish_reason: "stop" }] });
  } finally {
    const left = once(child, "exit");
    child.kill("SIGTERM");
    expect(await left).toEqual([0, null]);
    await rm(folder, { recursive: true });
  }
});
