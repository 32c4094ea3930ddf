/** What a request says of MCP servers, against what workers found and people accepted. */
import { defaultTenantId } from "@baton/core";
import { createBuiltinTools, createToolRegistry, type ToolSource } from "@baton/tools";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { createInstallation, type Installation } from "./installation.ts";

const disabled = [{ name: "drop", why: '"archive.drop" is disabled: its server describes it otherwise.' }];
const sourceOf = (name: string, tools: readonly string[]): ToolSource => ({
  name,
  list: () =>
    tools.map((tool) => ({ name: tool, description: tool, inputSchema: { type: "object" }, effect: "write" as const })),
  disabled: () => (name === "archive" ? disabled : []),
  run: async () => undefined,
});

let at: Installation;
beforeAll(async () => {
  const local = createBuiltinTools({ http: { allowHosts: [] }, workspaces: [] });
  const sources = [sourceOf("archive", ["fetch", "store"]), sourceOf("mail", ["send"]), sourceOf("silent", [])];
  at = await createInstallation(inject("postgresUrl"), {
    tools: createToolRegistry({ tools: local, sources }),
    mcpServers: ["archive", "mail", "silent"],
    planWaitMs: 50,
  });
});
afterAll(() => at?.close());

/** The tools that the task may use; undefined: all. */
async function toolsOf(body: object): Promise<readonly string[] | undefined> {
  const response = await at.call("POST", "/orchestrate", { body: { goal: "Do it", ...body } });
  const { taskId } = (await response.json()) as { taskId: string };
  expect(response.status).toBe(202);
  return (await at.store.getTask({ tenantId: defaultTenantId, taskId }))?.settings.tools;
}

async function refusal(path: string, body: object) {
  const response = await at.call("POST", path, { body });
  const { code, errors, detail } = (await response.json()) as {
    code: string;
    detail: string;
    errors?: { pointer: string; detail: string }[];
  };
  return { status: response.status, code, pointer: errors?.[0]?.pointer, detail: errors?.[0]?.detail ?? detail };
}

const ofServers = (tools: readonly string[] | undefined) => tools?.filter((name) => /^(archive|mail)\./.test(name));

describe("allowedMcpServers", () => {
  it("leaves the tools it names, by either name, and every other tool; absent, it leaves all", async () => {
    expect(await toolsOf({})).toBeUndefined();
    const some = await toolsOf({
      allowedMcpServers: { archive: { tools: ["fetch"] }, mail: { tools: ["mail.send"] } },
    });
    expect(ofServers(some)).toEqual(["archive.fetch", "mail.send"]);
    expect(some).toContain("clock.now");
    const none = await toolsOf({ allowedMcpServers: {} });
    expect(ofServers(none)).toEqual([]);
    expect(none).toContain("clock.now");
  });

  it("and mentions both count", async () => {
    const mentions = [
      { type: "mcpServer", name: "archive" },
      { type: "mcpTool", name: "send", serverId: "mail" },
      { type: "tool", name: "clock.now" },
    ];
    expect(await toolsOf({ mentions })).toEqual(["archive.fetch", "archive.store", "mail.send", "clock.now"]);
    expect(await toolsOf({ mentions, allowedMcpServers: { archive: { tools: ["store"] } } })).toEqual([
      "archive.store",
      "clock.now",
    ]);
  });

  it.each([
    [{ nobody: { tools: [] } }, "unknown-mcp-server", "/allowedMcpServers/nobody", "configure it"],
    [{ archive: { tools: ["fetsh"] } }, "unknown-tool", "/allowedMcpServers/archive/tools/0", 'has no tool "fetsh"'],
    [{ archive: { tools: ["fetch", "drop"] } }, "tool-disabled", "/allowedMcpServers/archive/tools/1", "otherwise"],
    [{ mail: { tools: ["archive.fetch"] } }, "unknown-tool", "/allowedMcpServers/mail/tools/0", "has no tool"],
    [{ silent: { tools: ["x"] } }, "unknown-tool", "/allowedMcpServers/silent/tools/0", "No worker has listed"],
  ])("%j is refused", async (allowedMcpServers, code, pointer, detail) => {
    expect(await refusal("/orchestrate", { goal: "Do it", allowedMcpServers })).toEqual({
      status: 422,
      code,
      pointer,
      detail: expect.stringContaining(detail),
    });
  });
});

describe("a plan", () => {
  const agent = (tools: readonly string[]) => ({
    name: "worker",
    description: "Works.",
    instructions: "Work.",
    tools,
  });
  const planOf = (step: object) => ({ plan: { steps: [{ id: "a", ...step }] } });

  it("names every tool of a server by server.*, which is pinned to what there is now", async () => {
    const body = planOf({ type: "agent", prompt: "Go.", agent: agent(["archive.*", "clock.now"]) });
    const response = await at.call("POST", "/api/v1/tasks", { body });
    const { id } = (await response.json()) as { id: string };
    const rows = await at.database.read(
      "select config -> 'agent' -> 'tools' as tools from baton.task_execution_step where task_id = $1",
      [id],
    );
    expect(rows).toEqual([{ tools: ["archive.fetch", "archive.store", "clock.now"] }]);
  });

  it.each([
    [{ type: "tool", tool: "archive.drop" }, "tool-disabled", "/plan/steps/0/tool", "otherwise"],
    [{ type: "tool", tool: "archive.nothing" }, "unknown-tool", "/plan/steps/0/tool", "known are"],
    [
      { type: "agent", prompt: "Go.", agent: agent(["archive.drop"]) },
      "tool-disabled",
      "/plan/steps/0/agent/tools/0",
      "otherwise",
    ],
    [
      { type: "agent", prompt: "Go.", agent: agent(["silent.*"]) },
      "unknown-tool",
      "/plan/steps/0/agent/tools/0",
      "no tool below",
    ],
  ])("%j is refused", async (step, code, pointer, detail) => {
    expect(await refusal("/api/v1/tasks", planOf(step))).toEqual({
      status: 422,
      code,
      pointer,
      detail: expect.stringContaining(detail),
    });
  });

  it("uses no tool that the settings beside it do not allow", async () => {
    const body = { ...planOf({ type: "tool", tool: "mail.send" }), settings: { tools: ["archive.fetch"] } };
    expect(await refusal("/api/v1/tasks", body)).toMatchObject({ code: "unknown-tool", pointer: "/plan/steps/0/tool" });
  });
});
