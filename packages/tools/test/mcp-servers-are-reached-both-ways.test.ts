import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { createMcpHandler } from "@modelcontextprotocol/server";
import { afterEach, describe, expect, test } from "vitest";
import { toolCall } from "./call.ts";
import { common, type McpBench, openMcp, secretNamed } from "./mcp.ts";
import { makeServer } from "./programs/good-mcp-server.ts";

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function open(...given: Parameters<typeof openMcp>): Promise<McpBench> {
  const bench = await openMcp(...given);
  closers.push(() => bench.mcp.close());
  return bench;
}

interface Served {
  url: string;
  readonly headers: IncomingMessage["headers"][];
  answerWith: number | undefined;
}

/** Over streamable HTTP, on loopback. */
async function serve(): Promise<Served> {
  const handler = createMcpHandler(makeServer);
  const served: Served = { url: "", headers: [], answerWith: undefined };
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    served.headers.push(request.headers);
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    if (served.answerWith !== undefined) {
      response.writeHead(served.answerWith, { location: "http://127.0.0.1:1/elsewhere" });
      response.end("no");
      return;
    }
    const answered = await handler.fetch(
      new Request(`${served.url}`, {
        method: request.method ?? "GET",
        headers: request.headers as Record<string, string>,
        ...(chunks.length > 0 && { body: Buffer.concat(chunks) }),
      }),
    );
    response.writeHead(answered.status, Object.fromEntries(answered.headers));
    if (answered.body !== null) for await (const chunk of answered.body) response.write(chunk);
    response.end();
  };
  const server: Server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  served.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return served;
}

const allowHosts = ["127.0.0.1"];

describe.each(["legacy", "auto"] as const)("a server of the official library, protocol %s", (protocol) => {
  test("over stdio", async () => {
    const program = fileURLToPath(new URL("./programs/good-mcp-server.ts", import.meta.url));
    const server = { ...common, name: "good", command: process.execPath, args: [program], env: {}, protocol };
    const { registry } = await open([server]);
    expect(registry.list().map(({ name, effect }) => [name, effect])).toEqual([
      ["good.add", "read"],
      ["good.forget", "irreversible"],
    ]);
    expect(await registry.run("good.add", { a: 1, b: 2 }, toolCall())).toEqual({ text: '{"sum":3}' });
    expect(await registry.run("good.add", { a: "x" }, toolCall()).catch((error: unknown) => error)).toMatchObject({
      details: { sent: false },
    });
  });

  test("over streamable HTTP, with a secret in a header that is the server's alone", async () => {
    const served = await serve();
    const headers = { Authorization: `Bearer ${secretNamed("GOOD_TOKEN")}` };
    const server = { ...common, name: "good", url: served.url, headers, protocol };
    const { registry, logged } = await open([server], { allowHosts, environment: { GOOD_TOKEN: "canary-0123456789" } });
    expect(await registry.run("good.add", { a: 1, b: 2 }, toolCall())).toEqual({ text: '{"sum":3}' });
    expect(new Set(served.headers.map(({ authorization }) => authorization))).toEqual(
      new Set(["Bearer canary-0123456789"]),
    );
    expect(JSON.stringify(logged)).not.toContain("canary");
  });
});

describe("over HTTP, a call", () => {
  test("to a private address is refused until the operator opens the host", async () => {
    const served = await serve();
    const { catalogue, mcp } = await open([{ ...common, name: "good", url: served.url, headers: {} }], {
      lists: false,
    });
    mcp.discover();
    await expect.poll(() => catalogue.problems[0], { timeout: 10_000 }).toContain("http.allowHosts");
    expect(served.headers).toEqual([]);
  });

  test("that is answered 401 or by a redirect did nothing; by 500 it is in doubt; then it works again", async () => {
    const served = await serve();
    const { registry } = await open([{ ...common, name: "good", url: served.url, headers: {} }], { allowHosts });
    expect(await registry.run("good.forget", {}, toolCall())).toEqual({ text: "forgotten" });
    for (const [status, sent] of [
      [401, false],
      [500, true],
    ] as const) {
      served.answerWith = status;
      const error = await registry.run("good.forget", {}, toolCall()).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: "tool-failed", details: { sent } });
      served.answerWith = undefined;
      expect(await registry.run("good.forget", {}, toolCall())).toEqual({ text: "forgotten" });
    }
  });
});
