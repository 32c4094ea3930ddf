/**
 * An MCP server over stdio that does what its tools are named for. It speaks the protocol by hand: a library would keep it
 * from misbehaving. `TOOLS_FILE` names a JSON file that it lists anew each time; `STARTS_FILE` gets a line per start.
 */
import { spawn } from "node:child_process";
import { appendFileSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";

type Message = { readonly id?: number | string; readonly method?: string; readonly params?: Record<string, unknown> };

const received: string[] = [];
const send = (message: unknown): void =>
  void process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", ...(message as object) })}\n`);
const answer = (id: unknown, result: unknown): void => send({ id, result });
const text = (value: string): unknown => ({ content: [{ type: "text", text: value }] });
const delay = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const { STARTS_FILE: starts, TOOLS_FILE: toolsFile } = process.env;
if (starts !== undefined) appendFileSync(starts, `${process.pid}\n`);

const names = [
  "echo",
  "env",
  "big",
  "image",
  "proto",
  "deep",
  "error",
  "refuse",
  "hang",
  "crash",
  "garbage",
  "flood",
  "huge",
];
const more = ["liar", "slow", "children", "received", "meta", "stderr", "nul", "rename", "leave"];

const listed = (): unknown[] =>
  toolsFile === undefined
    ? [...names, ...more].map((name) => ({ name, description: `Does ${name}.`, inputSchema: { type: "object" } }))
    : (JSON.parse(readFileSync(toolsFile, "utf8")) as unknown[]);

type Act = (id: unknown, given: Record<string, unknown>, meta: Record<string, unknown>) => unknown;
const acts: Record<string, Act> = {
  echo: (id, { text: said }) => answer(id, text(String(said ?? "echo"))),
  env: (id, { name }) => answer(id, text(`${String(name)} is ${process.env[String(name)] ?? "not set"}`)),
  big: (id, { mb }) => answer(id, text("x".repeat(Number(mb) * 1_000_000))),
  image: (id) =>
    answer(id, {
      content: [
        { type: "text", text: "a picture" },
        { type: "image", data: Buffer.from([1, 2, 3]).toString("base64"), mimeType: "image/png" },
        { type: "audio", data: Buffer.from([4]).toString("base64"), mimeType: "audio/wav" },
        { type: "resource", resource: { uri: "mem://a", blob: Buffer.from([5]).toString("base64") } },
        { type: "resource_link", uri: "https://example.com/x", name: "x" },
      ],
    }),
  proto: (id) =>
    process.stdout.write(
      `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":{"content":[{"type":"text","text":"p"}],"structuredContent":{"__proto__":{"polluted":true},"kept":{"__proto__":1,"constructor":2}}}}\n`,
    ),
  deep: (id) =>
    process.stdout.write(
      `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":{"content":[],"structuredContent":{"a":${"[".repeat(5_000)}${"]".repeat(5_000)}}}}\n`,
    ),
  nul: (id) => answer(id, text("a\0b")),
  error: (id, { text: said }) => answer(id, { ...(text(String(said ?? "it did not work")) as object), isError: true }),
  refuse: (id) => send({ id, error: { code: -32602, message: "the argument x is missing" } }),
  hang: () => undefined,
  crash: () => process.kill(process.pid, "SIGKILL"),
  leave: () => process.exit(3),
  garbage: (id) => {
    process.stdout.write('this is no JSON\n\n{"half":\n[1,2,3]\n\u0000\u0001\n');
    answer(id, text("after garbage"));
  },
  flood: async (id, { count, token }) => {
    for (let no = 0; no < Number(count); no += 1) {
      const notified =
        token === true
          ? { method: "notifications/message", params: { level: "info", data: no } }
          : { method: "notifications/unheard-of", params: { no } };
      if (!process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", ...notified })}\n`))
        await new Promise<void>((resolve) => process.stdout.once("drain", () => resolve()));
    }
    answer(id, text("after the flood"));
  },
  huge: () => {
    const chunk = "y".repeat(1_000_000);
    const go = (): void => {
      if (process.stdout.write(chunk)) setImmediate(go);
      else process.stdout.once("drain", go);
    };
    go();
  },
  liar: (id) => {
    answer(Number(id) + 1_000, text("of somebody else"));
    answer("no such id", text("of nobody"));
    send({ id: null, error: { code: -32603, message: "?" } });
  },
  slow: async (id, { times, everyMs }, { progressToken }) => {
    for (let no = 1; no <= Number(times); no += 1) {
      await delay(Number(everyMs));
      send({
        method: "notifications/progress",
        params: { progressToken, progress: no, total: Number(times), message: "at it" },
      });
    }
    answer(id, text("done"));
  },
  children: (id) => {
    const child = spawn("sleep", ["1000"], { stdio: "ignore" });
    const stubborn = spawn("/bin/sh", ["-c", "trap '' TERM; sleep 1000"], { stdio: "inherit" });
    answer(id, text(JSON.stringify([process.pid, child.pid, stubborn.pid])));
  },
  received: (id) => answer(id, text(JSON.stringify(received))),
  meta: (id, _given, meta) => answer(id, text(JSON.stringify(meta))),
  stderr: (id, { text: said }) => {
    process.stderr.write(`${String(said)} ${process.env["CANARY"] ?? ""}\n`);
    answer(id, text("written"));
  },
};

createInterface({ input: process.stdin }).on("line", (line) => {
  const { id, method, params = {} } = JSON.parse(line) as Message;
  received.push(method === "tools/call" ? `tools/call ${String(params["name"])}` : (method ?? "answer"));
  if (method === "initialize") {
    answer(id, {
      protocolVersion: params["protocolVersion"],
      capabilities: { tools: { listChanged: true } },
      serverInfo: { name: "misbehaving", version: "1" },
    });
  } else if (method === "tools/list") answer(id, { tools: listed() });
  else if (method === "ping" && !received.includes("tools/call hang")) answer(id, {});
  else if (method === "tools/call") {
    const { name, arguments: given = {}, _meta: meta = {} } = params as Record<string, Record<string, unknown>>;
    void acts[String(name)]?.(id, given, meta);
  }
});
