import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BatonError } from "@baton/core";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { loadConfig, mcpServers } from "../src/index.ts";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "baton-mcp-servers-"));
  path = join(folder, "mcp.json");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const secret = ["$", "{secret:", "TOKEN", "}"].join("");
const read = (file: unknown) => {
  writeFileSync(path, typeof file === "string" ? file : JSON.stringify(file));
  return mcpServers(loadConfig({ folder, env: { BATON_MCP_SERVERS: path } }).config);
};
const one = (server: object, name = "a") => ({ mcpServers: { [name]: server } });

function refusal(file: unknown): BatonError {
  try {
    read(file);
  } catch (error) {
    return error as BatonError;
  }
  throw new Error("it was accepted");
}

describe("the file of MCP servers", () => {
  test("names none where there is none", () => {
    expect(mcpServers(loadConfig({ folder, env: {} }).config)).toEqual([]);
  });

  test("has programs and addresses, with bounds of their own", () => {
    const [program, address] = read({
      mcpServers: {
        "program": { command: "serve", args: ["--all"], env: { TOKEN: secret } },
        "web-1": {
          type: "http",
          url: "https://example.com/mcp",
          headers: { Authorization: `Bearer ${secret}` },
          relistMs: 0,
        },
      },
    });
    expect(program).toMatchObject({
      ...{ name: "program", command: "serve", args: ["--all"], env: { TOKEN: secret }, tools: {} },
      ...{ startTimeoutMs: 30_000, idleTimeoutMs: 120_000, relistMs: 30_000, protocol: "legacy" },
    });
    expect(address).toMatchObject({ name: "web-1", url: "https://example.com/mcp", relistMs: 0 });
  });

  test.each([
    [one({}), "/mcpServers/a", 'needs either "command" (stdio) or "url"'],
    [one({ command: "x", url: "https://x" }), "/mcpServers/a", 'needs either "command" (stdio) or "url"'],
    [one({ command: "x", arg: [] }), "/mcpServers/a/arg", "there is no such setting"],
    [one({ command: "" }), "/mcpServers/a/command", ""],
    [
      one({ command: "x", args: [`--token=${secret}`] }),
      "/mcpServers/a/args/0",
      "no place for a secret: put it into env",
    ],
    [one({ command: "x", env: { "A B": "1" } }), "/mcpServers/a/env/A B", ""],
    [
      one({ command: "x", env: { A: secret.replace("TOKEN", "not a name") } }),
      "/mcpServers/a/env/A",
      "has a reference that is none",
    ],
    [
      one({ url: `https://example.com/?key=${secret}` }),
      "/mcpServers/a/url",
      "no place for a secret: put it into headers",
    ],
    [one({ url: "https://user:pass@example.com/mcp" }), "/mcpServers/a/url", "without credentials"],
    [one({ url: "file:///etc" }), "/mcpServers/a/url", "needs a URL"],
    [one({ command: "x", idleTimeoutMs: 1 }), "/mcpServers/a/idleTimeoutMs", ""],
    [one({ command: "x", tools: { t: { effect: "none" } } }), "/mcpServers/a/tools/t/effect", ""],
    [one({ command: "x" }, "A.b"), "/mcpServers/A.b", "needs small letters"],
    [one({ command: "x" }, "memory"), "/mcpServers/memory", "take another one"],
    [{ servers: {} }, "/mcpServers", ""],
  ])("%j is refused at %s", (file, pointer, detail) => {
    const error = refusal(file);
    expect(error.code).toBe("invalid-configuration");
    expect(error.message).toContain(path);
    expect(error.message).toContain("BATON_MCP_SERVERS");
    expect(error.problems.map((problem) => problem.pointer)).toContain(pointer);
    expect(error.message).toContain(detail);
  });

  test("has no two servers that look alike", () => {
    const file = { mcpServers: { "mail-box": { command: "x" }, "mai1box": { command: "y" } } };
    expect(refusal(file).message).toContain('mcpServers.mai1box: looks like "mail-box"');
  });

  test("that is missing or is no JSON is refused with its line, and nothing of it is quoted", () => {
    expect(() => mcpServers({ mcp: { serversFile: join(folder, "none.json") } })).toThrowError(/none\.json .*ENOENT/);
    const { message } = refusal(
      '{"mcpServers": {\n  "a": {"command": "x", "env": {"TOKEN": "hunter2-hunter2" "B": ""}}\n}}',
    );
    expect(message).toContain("is not JSON at line 2");
    expect(message).not.toContain("hunter2");
  });
});
