/** examples/chat as its README starts it, on the labelled offline model: the page's files, its proxy, and what it does. */
import { execFile, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { defaultTenantId } from "@baton/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { chatTransport, loadThread, openPage, type Page } from "./chat-page.ts";
import { newId, type Stack, startStack, until } from "./stack.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = `${root}examples/chat`;
const task =
  "Read every Markdown file below notes, summarise each one, and write a report that lists the decisions they contain";

async function servePage(stack: Stack): Promise<{ readonly url: string; readonly program: ChildProcess }> {
  const env = { ...process.env, BATON_URL: stack.url, BATON_API_KEY: stack.key };
  const program = spawn(process.execPath, [`${folder}/serve.ts`], {
    cwd: root,
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  for await (const line of createInterface({ input: program.stdout as NodeJS.ReadableStream })) {
    const url = /The page is at (http:\S+)\//.exec(line)?.[1];
    if (url !== undefined) return { url, program };
  }
  throw new Error("the page's server ended before it listened");
}

describe("examples/chat", () => {
  let stack: Stack;
  let program: ChildProcess | undefined;
  /** The page's server: it adds the key. */
  let served: Pick<Stack, "url" | "key">;
  const pages: Page[] = [];
  beforeAll(async () => {
    stack = await startStack({ backend: "postgres", workers: 1, env: { BATON_WORKSPACES: folder } });
    const page = await servePage(stack);
    program = page.program;
    served = { url: page.url, key: "" };
  });
  afterAll(async () => {
    for (const page of pages) page.close();
    program?.kill();
    await stack?.stop();
  });

  const open = async (threadId: string, options: Parameters<typeof openPage>[2] = {}): Promise<Page> => {
    const body = { workspace: folder, approvals: [{ tools: ["files.list"] }] };
    const page = openPage(served, threadId, { body, ...options });
    pages.push(page);
    return page;
  };
  const parts = (page: Page) => page.chat.messages.at(-1)?.parts ?? [];
  const asked = (page: Page) =>
    parts(page).flatMap((part) =>
      part.type === "dynamic-tool" && part.state === "approval-requested" ? [part.approval.id] : [],
    );

  it("serves a page whose every file a browser can run, and that names the key nowhere", async () => {
    const page = await (await fetch(`${served.url}/`)).text();
    expect(page).toContain("/src/main.tsx");
    for (const file of ["main.tsx", "page.tsx", "message.tsx", "thread.ts", "page.css"]) {
      const response = await fetch(`${served.url}/src/${file}`);
      expect([file, response.status]).toEqual([file, 200]);
      const text = await response.text();
      expect(text.length).toBeGreaterThan(100);
      expect(text).not.toContain(stack.key);
    }
  });

  it("is right in its types, in a browser's terms", async () => {
    const tsc = `${root}node_modules/.bin/tsc`;
    await promisify(execFile)(tsc, ["-p", folder, "--noEmit", "--incremental", "false"], { cwd: root });
  });

  it("shows a simple answer", async () => {
    const page = await open(newId());
    await until("the page has rendered", async () => page.chat !== undefined);
    await page.chat.sendMessage({ text: "Hello! What can you do?" });
    await until("it is answered", async () => page.text().includes("[offline model]"));
  });

  it("follows a task through an approval and a reload to its report", async () => {
    const threadId = newId();
    const before = await open(threadId);
    await until("the page has rendered", async () => before.chat !== undefined);
    void before.chat.sendMessage({ text: task });
    await until("a call waits", async () => asked(before).length === 1);
    before.close();
    const messages = await loadThread(stack, threadId);
    expect(messages.map(({ role }) => role)).toEqual(["user", "assistant"]);
    const page = await open(threadId, { messages, resume: true });
    await until("the call waits again", async () => asked(page).length === 1 && page.chat.status === "ready");
    expect(page.chat.messages).toHaveLength(2);
    await page.chat.addToolApprovalResponse({ id: asked(page)[0] ?? "", approved: true });
    await until("the report is there", async () => page.text().includes("We decided to run the queue on PostgreSQL."));
    expect(parts(page).filter(({ type }) => type === "data-task")).toMatchObject([{ data: { status: "completed" } }]);
    expect(JSON.stringify(await loadThread(stack, threadId))).toContain("We decided to delete attachments");
  });

  it("stops a task", async () => {
    const threadId = newId();
    const page = await open(threadId);
    await until("the page has rendered", async () => page.chat !== undefined);
    void page.chat.sendMessage({ text: task });
    await until("a call waits", async () => asked(page).length === 1);
    expect((await fetch(`${served.url}/api/chat/${threadId}/stop`, { method: "POST" })).status).toBe(200);
    const [found] = await stack.store.listTasks({ tenantId: defaultTenantId, threadId, limit: 1 });
    expect(found?.state).toBe("cancelled");
  });

  it("speaks the same to the transport alone, in Node", async () => {
    const stream = await chatTransport(served).sendMessages({
      chatId: newId(),
      trigger: "submit-message",
      messageId: undefined,
      messages: [{ id: "m-1", role: "user", parts: [{ type: "text", text: "hello" }] }],
      abortSignal: undefined,
    });
    const types: string[] = [];
    for await (const { type } of stream) types.push(type);
    expect(types.filter((type) => type !== "text-delta")).toEqual([
      ...["start", "start-step", "text-start", "text-end", "finish-step", "finish"],
    ]);
  });
});
