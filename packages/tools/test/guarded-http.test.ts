import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from "node:net";
import type { BatonError } from "@baton/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createBuiltinTools, createGuardedHttp, createToolRegistry } from "../src/index.ts";
import type { Dialer, DialTarget } from "../src/http/dial.ts";
import { toolCall } from "./call.ts";

interface Seen {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

const seen: Seen[] = [];
const open = new Set<Socket>();
let server: Server;
let port: number;

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

const answers: Readonly<Record<string, Answer>> = {
  "/ok": (_request, response) => response.setHeader("x-twice", ["a", "b"]).end("grüße"),
  "/latin1": (_request, response) =>
    response.setHeader("content-type", "text/plain; charset=iso-8859-1").end(Buffer.from("gr\xfc\xdfe", "latin1")),
  "/nul": (_request, response) => response.end("a\0b"),
  "/gzip": (_request, response) => response.setHeader("content-encoding", "gzip").end("zzz"),
  "/missing": (_request, response) => response.writeHead(404).end("no"),
  "/redirect": (_request, response) => response.writeHead(302, { location: "http://10.0.0.1/" }).end(),
  "/broken": (_request, response) => response.writeHead(503, { "retry-after": "7" }).end("later"),
  "/reset": (request) => request.socket.destroy(),
  "/cut": (request, response) => {
    response.writeHead(200, { "content-length": "100" });
    response.write("half", () => request.socket.destroy());
  },
  "/hang": () => {},
  "/endless": (_request, response) => {
    const more = (error?: Error | null) => {
      if (!error && !response.destroyed) response.write("x".repeat(65_536), more);
    };
    more();
  },
};

beforeAll(async () => {
  server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8");
    request.on("data", (chunk: string) => {
      body += chunk;
    });
    request.on("end", () => {
      seen.push({ method: request.method, url: request.url, headers: request.headers, body });
      const answer = answers[request.url?.split("?")[0] ?? ""];
      if (answer === undefined) response.writeHead(400).end();
      else answer(request, response);
    });
  });
  server.on("connection", (socket) => {
    open.add(socket);
    socket.on("close", () => open.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  port = (server.address() as AddressInfo).port;
});

afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const signal = new AbortController().signal;
const local = () => createGuardedHttp({ allowHosts: ["127.0.0.1"] });
const at = (path: string) => `http://127.0.0.1:${port}${path}`;
const failureOf = async (work: Promise<unknown>): Promise<BatonError> =>
  work.then(
    () => expect.fail("no error"),
    (error) => error as BatonError,
  );

/** Records what would be dialled and connects to the test's server instead: no other address is ever touched. */
function recordingDialer(): { dialled: Omit<DialTarget, "signal">[]; dialer: Dialer } {
  const dialled: Omit<DialTarget, "signal">[] = [];
  const dialer: Dialer = async ({ signal: _signal, ...target }) => {
    dialled.push(target);
    const socket = connect(port, "127.0.0.1");
    await new Promise((resolve, reject) => socket.once("connect", resolve).once("error", reject));
    return socket;
  };
  return { dialled, dialer };
}

function guarded(addresses: readonly string[], allowHosts: readonly string[] = []) {
  const { dialled, dialer } = recordingDialer();
  const resolved: string[] = [];
  const resolver = async (hostname: string) => {
    resolved.push(hostname);
    return addresses;
  };
  return { http: createGuardedHttp({ resolver, dialer, allowHosts }), dialled, resolved };
}

describe("where a request may go", () => {
  test("a public name is resolved once, and the socket goes to the checked address", async () => {
    const { http, dialled, resolved } = guarded(["93.184.215.14"]);
    const answer = await http.request({ method: "GET", url: "http://Example.com./ok?q=1", signal });
    expect(answer.status).toBe(200);
    expect(resolved).toEqual(["example.com"]);
    expect(dialled).toEqual([{ address: "93.184.215.14", port: 80, tls: false, hostname: "example.com" }]);
    expect(seen.at(-1)?.headers.host).toBe("example.com.");
  });

  test.each([
    [["10.0.0.7"]],
    [["93.184.215.14", "127.0.0.1"]],
    [["93.184.215.14", "::ffff:192.168.0.1"]],
    [["fd00::1"]],
    [["not an address"]],
  ])("a name with the addresses %j is refused before anything is dialled", async (addresses) => {
    const { http, dialled } = guarded(addresses);
    const error = await failureOf(http.request({ method: "GET", url: "http://internal.example/", signal }));
    expect(error).toMatchObject({ code: "address-refused", details: { sent: false }, problems: [{ pointer: "/url" }] });
    expect(dialled).toEqual([]);
  });

  test.each([
    "http://127.0.0.1/",
    "http://127.1/",
    "http://2130706433/",
    "http://0x7f.0.0.1/",
    "http://0177.0.0.1/",
    "http://[::1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://[2002:7f00:1::]/",
    "http://169.254.169.254/latest/meta-data",
    "http://0.0.0.0/",
    "http://１２７.0.0.1/",
  ])("the literal %s is refused without asking a resolver", async (url) => {
    const { http, dialled, resolved } = guarded(["93.184.215.14"]);
    expect(await failureOf(http.request({ method: "GET", url, signal }))).toMatchObject({ code: "address-refused" });
    expect({ dialled, resolved }).toEqual({ dialled: [], resolved: [] });
  });

  test.each([
    ["ftp://example.com/", /scheme/],
    ["file:///etc/passwd", /scheme/],
    ["javascript:alert(1)", /scheme/],
    ["http://user:pass@example.com/", /credentials/],
    ["http://user@example.com/", /credentials/],
    ["/relative", /absolute URL/],
    ["http://", /absolute URL/],
    ["http://[fe80::1%25eth0]/", /absolute URL/],
  ])("%s is refused", async (url, message) => {
    expect(await failureOf(guarded([]).http.request({ method: "GET", url, signal }))).toMatchObject({
      code: "tool-input-invalid",
      message,
      details: { sent: false },
    });
  });

  test("an operator's entry opens the named host only, on its port only, and by its name only", async () => {
    const { http, dialled } = guarded(["10.1.2.3"], ["Local.test:8080", "[::1]", "any.test"]);
    const statusOf = (url: string) =>
      http.request({ method: "GET", url, signal }).then(
        ({ status }) => status,
        ({ code }) => code,
      );
    expect(await statusOf("http://local.test:8080/ok")).toBe(200);
    expect(await statusOf("http://LOCAL.test.:8080/ok")).toBe(200);
    expect(await statusOf("http://local.test/ok")).toBe("address-refused");
    expect(await statusOf("http://other.local.test:8080/ok")).toBe("address-refused");
    expect(await statusOf("http://[::1]:99/ok")).toBe(200);
    expect(await statusOf("http://any.test:1234/ok")).toBe(200);
    expect(await statusOf("http://10.1.2.3:8080/ok")).toBe("address-refused");
    expect(dialled.map(({ address }) => address)).toEqual(["10.1.2.3", "10.1.2.3", "::1", "10.1.2.3"]);
  });

  test.each(["", "http://x", "x:0", "x:70000", "x/y", "[::g]", "a b", "*"])(
    "the entry %j is refused at start",
    (entry) => {
      expect(() => createGuardedHttp({ allowHosts: [entry] })).toThrowError(/allowHosts/);
    },
  );

  test("the next checked address is tried when one does not answer", async () => {
    const { dialer, dialled } = recordingDialer();
    const http = createGuardedHttp({
      resolver: async () => ["2606:4700:4700::1111", "93.184.215.14"],
      dialer: async (target) => {
        if (target.address.includes(":")) throw new Error("unreachable");
        return dialer(target);
      },
    });
    expect((await http.request({ method: "GET", url: "http://example.com/ok", signal })).status).toBe(200);
    expect(dialled).toMatchObject([{ address: "93.184.215.14" }]);
  });

  test("TLS is asked for with the name that the certificate must be for", async () => {
    const targets: DialTarget[] = [];
    const dialer: Dialer = async (target) => {
      targets.push(target);
      throw new Error("handshake refused");
    };
    const http = createGuardedHttp({ resolver: async () => ["93.184.215.14"], dialer });
    const error = await failureOf(http.request({ method: "GET", url: "https://example.com/", signal }));
    expect(error).toMatchObject({ code: "tool-failed", details: { sent: false }, message: /handshake refused/ });
    expect(targets).toMatchObject([{ tls: true, hostname: "example.com", address: "93.184.215.14", port: 443 }]);
  });
});

describe("what a request brings back", () => {
  test("a redirect as it is, without following it", async () => {
    const answer = await local().request({ method: "GET", url: at("/redirect"), signal });
    expect(answer).toMatchObject({ status: 302, headers: { location: "http://10.0.0.1/" } });
  });

  test("no more than maxBytes of an endless body, and the connection is closed", async () => {
    const answer = await local().request({ method: "GET", url: at("/endless"), maxBytes: 100_000, signal });
    expect(answer.truncated).toBe(true);
    expect(answer.body.length).toBe(100_000);
    await expect.poll(() => open.size, { timeout: 20_000 }).toBe(0);
  });

  test("an error with sent: true when the connection breaks afterwards", async () => {
    for (const path of ["/reset", "/cut"]) {
      const error = await failureOf(local().request({ method: "GET", url: at(path), signal }));
      expect(error).toMatchObject({ code: "tool-failed", details: { sent: true } });
    }
  });

  test("an error with sent: false when nobody listens or the name has no address", async () => {
    const closed = createTcpServer();
    await new Promise<void>((resolve) => closed.listen(0, "127.0.0.1", resolve));
    const closedPort = (closed.address() as AddressInfo).port;
    await new Promise((resolve) => closed.close(resolve));
    const refused = await failureOf(
      local().request({ method: "GET", url: `http://127.0.0.1:${closedPort}/?key=s3cret`, signal }),
    );
    expect(refused).toMatchObject({ code: "tool-failed", details: { sent: false }, message: /ECONNREFUSED/ });
    expect(refused.message).not.toContain("s3cret");
    const cause = new Error("getaddrinfo ENOTFOUND");
    const nameless = createGuardedHttp({ resolver: () => Promise.reject(cause) });
    expect(await failureOf(nameless.request({ method: "GET", url: "http://nowhere.example/", signal }))).toMatchObject({
      code: "tool-failed",
      details: { sent: false },
      cause,
    });
  });

  test("an error when the answer takes longer than timeoutMs, wherever it hangs", async () => {
    const hanging = local().request({ method: "GET", url: at("/hang"), timeoutMs: 200, signal });
    expect(await failureOf(hanging)).toMatchObject({ details: { sent: true, timedOut: true } });
    const endless = local().request({ method: "GET", url: at("/endless"), maxBytes: 1e12, timeoutMs: 200, signal });
    expect(await failureOf(endless)).toMatchObject({ details: { sent: true, timedOut: true } });
    const unresolved = createGuardedHttp({ resolver: () => new Promise(() => {}), timeoutMs: 50 });
    expect(await failureOf(unresolved.request({ method: "GET", url: "http://slow.example/", signal }))).toMatchObject({
      details: { sent: false, timedOut: true },
    });
  });

  test("the abort reason, and a closed socket", async () => {
    const controller = new AbortController();
    const before = seen.length;
    const running = local().request({ method: "GET", url: at("/hang"), signal: controller.signal });
    await expect.poll(() => seen.length, { timeout: 20_000 }).toBe(before + 1);
    const reason = new Error("cancelled by a person");
    controller.abort(reason);
    await expect(running).rejects.toBe(reason);
    await expect.poll(() => open.size, { timeout: 20_000 }).toBe(0);
  });
});

describe("the tools", () => {
  const registry = () =>
    createToolRegistry({ tools: createBuiltinTools({ http: { allowHosts: [`127.0.0.1:${port}`] } }) });
  const run = (name: string, args: unknown) => registry().run(name, args, toolCall({ idempotencyKey: "s-7" }));

  test("http.get returns status, headers and text", async () => {
    expect(await run("http.get", { url: at("/ok"), headers: { "X-Token": "t" } })).toMatchObject({
      status: 200,
      headers: { "x-twice": "a, b" },
      text: "grüße",
      truncated: false,
    });
    expect(seen.at(-1)?.headers).toMatchObject({ "x-token": "t", "accept-encoding": "identity" });
    expect(seen.at(-1)?.headers).not.toHaveProperty("idempotency-key");
  });

  test("a body becomes text that can be kept, and says what was repaired", async () => {
    expect(await run("http.get", { url: at("/latin1") })).toMatchObject({ text: "grüße" });
    expect(await run("http.get", { url: at("/nul") })).toMatchObject({ text: "a\uFFFDb", warnings: [/NUL/] });
    expect(await run("http.get", { url: at("/gzip") })).toMatchObject({ text: "", warnings: [/gzip/] });
    expect(await run("http.get", { url: at("/ok"), maxBytes: 3 })).toMatchObject({ text: "gr\uFFFD", truncated: true });
  });

  test("4xx is data", async () => {
    expect(await run("http.get", { url: at("/missing") })).toMatchObject({ status: 404, text: "no" });
  });

  test("5xx fails with sent: true, for its outcome is unknown", async () => {
    const error = await failureOf(run("http.request", { method: "POST", url: at("/broken") }));
    expect(error).toMatchObject({ code: "tool-failed", details: { sent: true, status: 503, retryAfter: "7" } });
  });

  test("http.request sends the call's idempotency key, and JSON unless the body is a string", async () => {
    await run("http.request", { method: "POST", url: at("/ok"), body: { a: [1, "ü"] } });
    expect(seen.at(-1)).toMatchObject({
      method: "POST",
      body: '{"a":[1,"ü"]}',
      headers: { "idempotency-key": "s-7", "content-type": "application/json" },
    });
    await run("http.request", { method: "PUT", url: at("/ok"), body: "<x/>", headers: { "Content-Type": "text/xml" } });
    expect(seen.at(-1)).toMatchObject({ method: "PUT", body: "<x/>", headers: { "content-type": "text/xml" } });
    await run("http.request", { method: "DELETE", url: at("/ok") });
    expect(seen.at(-1)).toMatchObject({ method: "DELETE", body: "" });
  });

  test.each([
    [{ "Idempotency-Key": "mine" }, /set by the tool/],
    [{ host: "evil.example" }, /set by the client/],
    [{ "Transfer-Encoding": "chunked" }, /set by the client/],
    [{ "x-a": "1\r\nx-b: 2" }, /cannot carry/],
    [{ "x a": "1" }, /not a header name/],
    [{ "x-a": "1", "X-A": "2" }, /given twice/],
    [{ "x-a": "1".repeat(20_000) }, /at most/],
  ])("http.request refuses the headers %.60j", async (headers, message) => {
    const before = seen.length;
    const error = await failureOf(run("http.request", { method: "POST", url: at("/ok"), headers }));
    expect(error).toMatchObject({ code: "tool-input-invalid", message, details: { sent: false } });
    expect(seen.length).toBe(before);
  });

  test("GET through http.request and unknown arguments are refused", async () => {
    expect(await failureOf(run("http.request", { method: "GET", url: at("/ok") }))).toMatchObject({
      problems: [{ pointer: "/method" }],
    });
    expect(await failureOf(run("http.get", { uri: at("/ok"), url: at("/ok") }))).toMatchObject({
      problems: [{ pointer: "/uri" }],
    });
  });
});
