import { problem } from "@baton/contracts";
import { request as httpRequest } from "node:http";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { createInstallation } from "./installation.ts";
import type { Installation } from "./installation.ts";

let at: Installation;
beforeAll(async () => {
  at = await createInstallation(inject("postgresUrl"));
});
afterAll(() => at?.close());

const json = { "content-type": "application/json" };
const tool = { id: "a", type: "tool", tool: "clock.now" };
const llm = { id: "b", type: "llm", prompt: "x" };
const chat = { id: "t", message: { role: "user", parts: [{ type: "text", text: "hello" }] } };
const answered = (parts: readonly object[]) => ({ id: "t", message: { id: "m", role: "assistant", parts } });
const call = {
  type: "dynamic-tool",
  toolCallId: "call-1-0",
  toolName: "clock.now",
  state: "approval-responded",
  input: {},
};
const missing = "019abc00-0000-7000-8000-000000000001";
const deep = (depth: number) => `{"goal":"g","input":${"[".repeat(depth)}${"]".repeat(depth)}}`;

interface Case {
  readonly what: string;
  readonly path?: string;
  readonly method?: string;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
  readonly status: number;
  readonly code: string;
  readonly pointer?: string;
}

const bodies: readonly Case[] = [
  { what: "an empty object", body: {}, status: 400, code: "invalid-request", pointer: "" },
  { what: "no body", status: 400, code: "invalid-json", headers: json },
  { what: "white space", body: "  ", status: 400, code: "invalid-json" },
  { what: "text that is not JSON", body: "{goal", status: 400, code: "invalid-json" },
  { what: "bytes that are not UTF-8", body: new Uint8Array([0x22, 0xff, 0x22]), status: 400, code: "invalid-json" },
  { what: "an array", body: [], status: 400, code: "invalid-request", pointer: "" },
  { what: "a string", body: '"goal"', status: 400, code: "invalid-request", pointer: "" },
  { what: "an unknown field", body: { goal: "g", gaol: 1 }, status: 400, code: "invalid-request", pointer: "/gaol" },
  {
    what: "the field __proto__",
    body: '{"goal":"g","__proto__":{"x":1}}',
    status: 400,
    code: "invalid-request",
    pointer: "/__proto__",
  },
  { what: "a goal of the wrong type", body: { goal: 1 }, status: 400, code: "invalid-request", pointer: "/goal" },
  { what: "an empty goal", body: { goal: "" }, status: 400, code: "invalid-request", pointer: "/goal" },
  { what: "a blank goal", body: { goal: " \n\t" }, status: 400, code: "invalid-request", pointer: "/goal" },
  {
    what: "a goal over 100 kB",
    body: { goal: "x".repeat(100_001) },
    status: 400,
    code: "invalid-request",
    pointer: "/goal",
  },
  {
    what: "a goal over 100 kB of UTF-8",
    body: { goal: "€".repeat(34_000) },
    status: 400,
    code: "invalid-request",
    pointer: "/goal",
  },
  { what: "a NUL character", body: '{"goal":"a\\u0000b"}', status: 400, code: "invalid-request", pointer: "/goal" },
  {
    what: "a NUL character in a key",
    body: '{"goal":"a","input":{"a\\u0000":1}}',
    status: 400,
    code: "invalid-request",
  },
  {
    what: "half of a surrogate pair",
    body: '{"goal":"a","input":["\\ud800"]}',
    status: 400,
    code: "invalid-request",
    pointer: "/input/0",
  },
  {
    what: "a number that is too large",
    body: '{"goal":"a","input":1e999}',
    status: 400,
    code: "invalid-request",
    pointer: "/input",
  },
  { what: "nesting of 33", body: deep(32), status: 400, code: "nesting-too-deep" },
  { what: "nesting of 100,000", body: deep(100_000), status: 400, code: "nesting-too-deep" },
  { what: "100,000 open brackets", body: "[".repeat(100_000), status: 400, code: "nesting-too-deep" },
  {
    what: "form data",
    body: "goal=g",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    status: 415,
    code: "unsupported-media-type",
  },
  {
    what: "another charset",
    body: '{"goal":"g"}',
    headers: { "content-type": "application/json; charset=latin1" },
    status: 415,
    code: "unsupported-media-type",
  },
  { what: "10 MB with a length", body: `{"goal":"${"x".repeat(10_000_000)}"}`, status: 413, code: "payload-too-large" },
  {
    what: "an unknown setting",
    body: { goal: "g", settings: { maxStep: 1 } },
    status: 400,
    code: "invalid-request",
    pointer: "/settings/maxStep",
  },
  {
    what: "a setting out of bounds",
    body: { goal: "g", settings: { maxSteps: 0 } },
    status: 400,
    code: "invalid-request",
    pointer: "/settings/maxSteps",
  },
  {
    what: "a negative cap",
    body: { goal: "g", settings: { budget: { tokens: -1 } } },
    status: 400,
    code: "invalid-request",
    pointer: "/settings/budget/tokens",
  },
  {
    what: "a cap that is no number",
    body: '{"goal":"g","settings":{"budget":{"usd":NaN}}}',
    status: 400,
    code: "invalid-json",
  },
  {
    what: "a cap on something else",
    body: { goal: "g", settings: { budget: { euros: 5 } } },
    status: 400,
    code: "invalid-request",
    pointer: "/settings/budget/euros",
  },
  {
    what: "an unknown model to go on with",
    body: { goal: "g", settings: { budget: { usd: 1, onBreach: { model: { provider: "x", model: "y" } } } } },
    status: 422,
    code: "unknown-model",
    pointer: "/settings/budget/onBreach/model",
  },
  {
    what: "an unknown model to fall back to",
    body: { goal: "g", settings: { fallbackModels: [{ provider: "x", model: "y" }] } },
    status: 422,
    code: "unknown-model",
    pointer: "/settings/fallbackModels/0",
  },
  {
    what: "the offline model to fall back to",
    body: { goal: "g", settings: { fallbackModels: [{ provider: "offline", model: "offline-rules" }] } },
    status: 422,
    code: "unknown-model",
    pointer: "/settings/fallbackModels/0",
  },
  {
    what: "an unknown model for a step to fall back to",
    body: { plan: { steps: [{ ...llm, fallback_models: [{ provider: "x", model: "y" }] }] } },
    status: 422,
    code: "unknown-model",
    pointer: "/plan/steps/0/fallback_models/0",
  },
  {
    what: "an unknown model",
    body: { goal: "g", settings: { model: { provider: "x", model: "y" } } },
    status: 422,
    code: "unknown-model",
    pointer: "/settings/model",
  },
  {
    what: "an unknown tool in the settings",
    body: { goal: "g", settings: { tools: ["clock.now", "no.such"] } },
    status: 422,
    code: "unknown-tool",
    pointer: "/settings/tools/1",
  },
  {
    what: "an empty thread id",
    body: { goal: "g", threadId: "" },
    status: 400,
    code: "invalid-request",
    pointer: "/threadId",
  },
  {
    what: "a malformed Idempotency-Key",
    body: { goal: "g" },
    headers: { "idempotency-key": "a b" },
    status: 400,
    code: "idempotency-key-malformed",
    pointer: "/idempotency-key",
  },
  {
    what: "an Idempotency-Key of 256 characters",
    body: { goal: "g" },
    headers: { "idempotency-key": "k".repeat(256) },
    status: 400,
    code: "idempotency-key-malformed",
  },
  {
    what: "a bad body with a good Idempotency-Key",
    body: { gaol: "g" },
    headers: { "idempotency-key": "fine" },
    status: 400,
    code: "invalid-request",
  },
];

const plans: readonly Case[] = [
  { what: "no steps", body: { plan: { steps: [] } }, status: 400, code: "invalid-request", pointer: "/plan/steps" },
  {
    what: "an unknown step type",
    body: { plan: { steps: [{ id: "a", type: "tea" }] } },
    status: 400,
    code: "invalid-request",
    pointer: "/plan/steps/0/type",
  },
  {
    what: "an unknown field of a step",
    body: { plan: { steps: [{ ...tool, args: {} }] } },
    status: 400,
    code: "invalid-request",
    pointer: "/plan/steps/0/args",
  },
  {
    what: "a dependency of the wrong type",
    body: { plan: { steps: [{ ...tool, depends_on: [1] }] } },
    status: 400,
    code: "invalid-request",
    pointer: "/plan/steps/0/depends_on/0",
  },
  {
    what: "an unknown field of a dependency",
    body: { plan: { steps: [tool, { ...llm, depends_on: [{ step: "a", if: "x" }] }] } },
    status: 400,
    code: "invalid-request",
    pointer: "/plan/steps/1/depends_on/0/if",
  },
  {
    what: "a duplicate id",
    body: { plan: { steps: [tool, tool] } },
    status: 422,
    code: "invalid-plan",
    pointer: "/plan/steps/1/id",
  },
  {
    what: "an unknown dependency",
    body: { plan: { steps: [{ ...tool, depends_on: ["z"] }] } },
    status: 422,
    code: "invalid-plan",
    pointer: "/plan/steps/0/depends_on/0",
  },
  {
    what: "a cycle",
    body: {
      plan: {
        steps: [
          { ...tool, depends_on: ["b"] },
          { ...llm, depends_on: ["a"] },
        ],
      },
    },
    status: 422,
    code: "invalid-plan",
  },
  {
    what: "an unknown tool",
    body: { plan: { steps: [{ ...tool, tool: "no.such" }] } },
    status: 422,
    code: "unknown-tool",
    pointer: "/plan/steps/0/tool",
  },
  {
    what: "an unknown model of a step",
    body: { plan: { steps: [{ ...llm, model: { provider: "x", model: "y" } }] } },
    status: 422,
    code: "unknown-model",
    pointer: "/plan/steps/0/model",
  },
  {
    what: "a malformed expression",
    body: { plan: { steps: [{ ...llm, prompt: { $cel: "1 +" } }] } },
    status: 422,
    code: "invalid-expression",
  },
  {
    what: "more steps than maxSteps",
    body: { plan: { steps: [tool, llm] }, settings: { maxSteps: 1 } },
    status: 422,
    code: "invalid-plan",
    pointer: "/plan/steps",
  },
];

const elsewhere: readonly Case[] = [
  {
    what: "a chat message without text",
    path: "/api/chat",
    body: { ...chat, message: { role: "user", parts: [{ type: "text", text: " " }] } },
    status: 400,
    code: "invalid-request",
    pointer: "/message/parts",
  },
  {
    what: "a chat message of the assistant",
    path: "/api/chat",
    body: { ...chat, message: { ...chat.message, role: "assistant" } },
    status: 400,
    code: "invalid-request",
    pointer: "/message/id",
  },
  {
    what: "a chat message of the system",
    path: "/api/chat",
    body: { ...chat, message: { ...chat.message, role: "system" } },
    status: 400,
    code: "invalid-request",
    pointer: "/message/role",
  },
  {
    what: "a message part of an unknown type",
    path: "/api/chat",
    body: { ...chat, message: { role: "user", parts: [{ type: "video", url: "data:," }] } },
    status: 400,
    code: "invalid-request",
    pointer: "/message/parts/0/type",
  },
  {
    what: "an answered message without a word",
    path: "/api/chat",
    body: answered([{ type: "text", text: "hello" }]),
    status: 400,
    code: "invalid-request",
    pointer: "/message/parts",
  },
  {
    what: "an answered message with a part of an unknown type",
    path: "/api/chat",
    body: answered([{ type: "tool-clock.now" }]),
    status: 400,
    code: "invalid-request",
    pointer: "/message/parts/0/type",
  },
  {
    what: "an approval without its verdict",
    path: "/api/chat",
    body: answered([{ ...call, approval: { id: missing } }]),
    status: 400,
    code: "invalid-request",
    pointer: "/message/parts/0/approval",
  },
  {
    what: "an approval whose id is none",
    path: "/api/chat",
    body: answered([{ ...call, approval: { id: "1", approved: true } }]),
    status: 400,
    code: "invalid-request",
    pointer: "/message/parts/0/approval/id",
  },
  {
    what: "an approval whose verdict is a text",
    path: "/api/chat",
    body: answered([{ ...call, approval: { id: missing, approved: "yes" } }]),
    status: 400,
    code: "invalid-request",
    pointer: "/message/parts/0/approval/approved",
  },
  {
    what: "an approval of what nobody asked",
    path: "/api/chat",
    body: answered([{ ...call, approval: { id: missing, approved: true } }]),
    status: 404,
    code: "not-found",
    pointer: "/message/parts/0/approval/id",
  },
  {
    what: "an unknown ifBusy",
    path: "/api/chat",
    body: { ...chat, ifBusy: "wait" },
    status: 400,
    code: "invalid-request",
    pointer: "/ifBusy",
  },
  ...[
    ["a file by its address", "text/plain", "https://example.com/a.txt", "url"],
    ["a file that cannot be read here", "application/pdf", "data:application/pdf;base64,JVBERg==", "mediaType"],
    ["an image for a model that takes none", "image/png", "data:image/png;base64,iVBORw0KGgo=", "mediaType"],
    ["a text that says it is another", "text/plain", "data:text/html,hello", "url"],
    ["a text that is no UTF-8", "text/plain", "data:text/plain;base64,//79", "url"],
    ["a file that is no base64", "text/plain", "data:text/plain;base64,?", "url"],
    ["an empty file", "text/plain", "data:text/plain,", "url"],
  ].map(([what = "", mediaType, url, field]) => ({
    what,
    path: "/api/chat",
    body: {
      ...chat,
      message: { ...chat.message, parts: [...chat.message.parts, { type: "file", mediaType, url }] },
    },
    status: 422,
    code: "attachment-refused",
    pointer: `/message/parts/1/${field}`,
  })),
  {
    what: "a list of messages",
    path: "/api/chat",
    body: { ...chat, messages: [] },
    status: 400,
    code: "invalid-request",
    pointer: "/messages",
  },
  {
    what: "an unknown toolChoice",
    path: "/api/chat",
    body: { ...chat, toolChoice: "required" },
    status: 400,
    code: "invalid-request",
    pointer: "/toolChoice",
  },
  {
    what: "a chat with an unknown model",
    path: "/api/chat",
    body: { ...chat, chatModel: { provider: "x", model: "y" } },
    status: 422,
    code: "unknown-model",
    pointer: "/chatModel",
  },
  {
    what: "an unknown mention",
    path: "/api/chat",
    body: { ...chat, mentions: [{ type: "tool", name: "no.such" }] },
    status: 422,
    code: "unknown-mention",
    pointer: "/mentions/0/name",
  },
  {
    what: "an unknown MCP server",
    path: "/api/chat",
    body: { ...chat, allowedMcpServers: { nowhere: { tools: [] } } },
    status: 422,
    code: "unknown-mcp-server",
    pointer: "/allowedMcpServers/nowhere",
  },
  {
    what: "orchestrate with an unknown model",
    path: "/api/chat/orchestrate",
    body: { goal: "g", chatModel: { provider: "x", model: "y" } },
    status: 422,
    code: "unknown-model",
    pointer: "/chatModel",
  },
  {
    what: "orchestrate with an unknown mention",
    path: "/orchestrate",
    body: { goal: "g", mentions: [{ type: "mcpServer", name: "nowhere" }] },
    status: 422,
    code: "unknown-mention",
  },
  {
    what: "orchestrate with an empty goal",
    path: "/orchestrate",
    body: { goal: "" },
    status: 400,
    code: "invalid-request",
    pointer: "/goal",
  },
  {
    what: "a status without taskId",
    method: "GET",
    path: "/orchestrate",
    status: 400,
    code: "invalid-request",
    pointer: "/taskId",
  },
  {
    what: "a status of something that is no id",
    method: "GET",
    path: "/orchestrate?taskId=1",
    status: 400,
    code: "invalid-request",
    pointer: "/taskId",
  },
  {
    what: "a status of an unknown task",
    method: "GET",
    path: `/api/chat/orchestrate?taskId=${missing}`,
    status: 404,
    code: "not-found",
  },
  {
    what: "a cancel of an unknown task",
    method: "DELETE",
    path: `/api/chat/orchestrate?taskId=${missing}`,
    status: 404,
    code: "not-found",
  },
  {
    what: "a group of usage that there is none of",
    method: "GET",
    path: "/api/v1/usage?group_by=moon",
    status: 400,
    code: "invalid-request",
    pointer: "/group_by",
  },
  {
    what: "a day that there is none of",
    method: "GET",
    path: "/api/v1/usage?from=2026-02-30",
    status: 400,
    code: "invalid-request",
    pointer: "/from",
  },
  {
    what: "usage that ends before it begins",
    method: "GET",
    path: "/api/v1/usage?from=2026-02-02&to=2026-02-01",
    status: 400,
    code: "invalid-request",
    pointer: "/from",
  },
  {
    what: "a tenant's cap on tool calls",
    method: "PUT",
    path: "/api/v1/budgets/tenant",
    body: { toolCalls: 5 },
    status: 400,
    code: "invalid-request",
    pointer: "/toolCalls",
  },
  {
    what: "the budget of an unknown task",
    method: "PATCH",
    path: `/api/v1/tasks/${missing}/budget`,
    body: { tokens: 5 },
    status: 404,
    code: "not-found",
  },
  { what: "an unknown task", method: "GET", path: `/api/v1/tasks/${missing}`, status: 404, code: "not-found" },
  { what: "a task id that is no UUID", method: "GET", path: "/api/v1/tasks/1", status: 404, code: "not-found" },
  {
    what: "steps of an unknown task",
    method: "GET",
    path: `/api/v1/tasks/${missing}/steps`,
    status: 404,
    code: "not-found",
  },
  {
    what: "traces of an unknown task",
    method: "GET",
    path: `/api/v1/tasks/${missing}/traces`,
    status: 404,
    code: "not-found",
  },
  {
    what: "a checkpoint of an unknown task",
    method: "GET",
    path: `/api/v1/tasks/${missing}/checkpoints/${missing}`,
    status: 404,
    code: "not-found",
  },
  {
    what: "an artifact of an unknown task",
    method: "GET",
    path: `/api/v1/tasks/${missing}/artifacts/${missing}`,
    status: 404,
    code: "not-found",
  },
  {
    what: "an output of an unknown task",
    method: "GET",
    path: `/api/v1/tasks/${missing}/outputs/${missing}`,
    status: 404,
    code: "not-found",
  },
  {
    what: "why of an unknown task",
    method: "GET",
    path: `/api/v1/tasks/${missing}/why`,
    status: 404,
    code: "not-found",
  },
  { what: "cancelling an unknown task", path: `/api/v1/tasks/${missing}/cancel`, status: 404, code: "not-found" },
  {
    what: "an unknown field of a cancel",
    path: `/api/v1/tasks/${missing}/cancel`,
    body: { why: "x" },
    status: 400,
    code: "invalid-request",
    pointer: "/why",
  },
  {
    what: "an unknown query parameter",
    method: "GET",
    path: "/api/v1/tasks?stat=failed",
    status: 400,
    code: "invalid-request",
    pointer: "/stat",
  },
  {
    what: "an unknown state",
    method: "GET",
    path: "/api/v1/tasks?state=done",
    status: 400,
    code: "invalid-request",
    pointer: "/state/0",
  },
  {
    what: "a limit over 200",
    method: "GET",
    path: "/api/v1/tasks?limit=201",
    status: 400,
    code: "invalid-request",
    pointer: "/limit",
  },
  {
    what: "a limit that is no number",
    method: "GET",
    path: "/api/v1/tasks?limit=x",
    status: 400,
    code: "invalid-request",
    pointer: "/limit",
  },
  {
    what: "a parameter given twice",
    method: "GET",
    path: "/api/v1/tasks?limit=1&limit=2",
    status: 400,
    code: "invalid-request",
    pointer: "/limit",
  },
  {
    what: "a made-up cursor",
    method: "GET",
    path: "/api/v1/tasks?cursor=AAAA",
    status: 400,
    code: "invalid-cursor",
    pointer: "/cursor",
  },
  {
    what: "a NUL in the query",
    method: "GET",
    path: "/api/v1/tasks?threadId=%00",
    status: 400,
    code: "invalid-request",
    pointer: "/threadId",
  },
  {
    what: "an unknown scope of a key",
    path: "/api/v1/keys",
    body: { name: "x", scopes: ["root"] },
    status: 400,
    code: "invalid-request",
    pointer: "/scopes/0",
  },
  { what: "an unknown key", method: "DELETE", path: `/api/v1/keys/${missing}`, status: 404, code: "not-found" },
  { what: "a NUL in a path", method: "GET", path: "/api/chat/a%00b/stream", status: 404, code: "not-found" },
  {
    what: "a path that is no UTF-8",
    method: "POST",
    path: "/api/v1/tasks/%ED%A0%80/cancel",
    status: 404,
    code: "not-found",
  },
  { what: "a broken escape in a path", method: "GET", path: "/api/v1/tasks/%", status: 404, code: "not-found" },
  {
    what: "a pool that is Baton's own",
    body: { plan: { steps: [{ id: "a", type: "tool", tool: "clock.now", pool: "interactive" }] } },
    status: 422,
    code: "invalid-plan",
    pointer: "/plan/steps/0/pool",
  },
  { what: "an unknown route", method: "GET", path: "/api/v2/tasks", status: 404, code: "not-found" },
  { what: "a wrong method", method: "PUT", path: "/api/v1/tasks", body: {}, status: 405, code: "method-not-allowed" },
];

describe("bad input", () => {
  it.each([...bodies, ...plans, ...elsewhere])("$what is refused, and nothing is written", async (bad) => {
    const before = await at.database.rowCounts();
    const { method = "POST", path = "/api/v1/tasks" } = bad;
    const response = await at.call(method, path, { body: bad.body, headers: bad.headers ?? {} });
    const answer = problem.parse(await response.json());
    expect({ status: response.status, code: answer.code }).toEqual({ status: bad.status, code: bad.code });
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    if (bad.pointer !== undefined) expect(answer.errors.map(({ pointer }) => pointer)).toContain(bad.pointer);
    expect(answer.detail).not.toBe("");
    expect(await at.database.rowCounts()).toEqual(before);
    expect(at.errors).toEqual([]);
  });

  it("10 MB without a length are refused while they arrive, and the server goes on", async () => {
    const { port } = at.server;
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const headers = {
        "authorization": `Bearer ${at.key}`,
        "content-type": "application/json",
        "transfer-encoding": "chunked",
      };
      const request = httpRequest(
        { port, host: "127.0.0.1", path: "/api/v1/tasks", method: "POST", headers },
        (response) => {
          response.resume();
          resolve(response.statusCode);
        },
      );
      request.on("error", reject);
      const chunk = "x".repeat(100_000);
      const write = (left: number): void => {
        if (left === 0) request.end();
        else request.write(chunk, () => write(left - 1));
      };
      write(100);
    });
    expect(status).toBe(413);
    expect((await at.call("GET", "/health")).status).toBe(200);
  });

  it("nesting of 32 is accepted", async () => {
    expect((await at.call("POST", "/api/v1/tasks", { body: deep(31) })).status).toBe(202);
  });

  it("a wrong method names the right ones", async () => {
    expect((await at.call("PATCH", "/api/v1/tasks")).headers.get("allow")).toBe("POST, GET, HEAD");
    expect((await at.call("DELETE", "/health")).headers.get("allow")).toBe("GET, HEAD");
  });

  it("no value of any field makes an answer of 500", async () => {
    const values = [null, 0, -1, 1e308, "", "\u{1F600}", "../../etc/passwd", [], {}, [[]], { $cel: "x" }, true];
    for (const field of ["goal", "plan", "input", "settings", "threadId"]) {
      for (const value of values) {
        const response = await at.call("POST", "/api/v1/tasks", { body: { goal: "g", [field]: value } });
        expect(response.status, `${field} = ${JSON.stringify(value)}`).toBeLessThan(500);
      }
    }
    expect(at.errors).toEqual([]);
  });
});
