import { readFileSync } from "node:fs";
import { BatonError, RetryAfter, TerminalError } from "@baton/core";
import { afterEach, describe, expect, test } from "vitest";
import { toolCall } from "./call.ts";
import { type McpBench, misbehaving, newFolder, openMcp } from "./mcp.ts";

let bench: McpBench | undefined;
afterEach(async () => {
  await bench?.mcp.close();
  bench = undefined;
});

const open = async (...given: Parameters<typeof openMcp>): Promise<McpBench> => (bench = await openMcp(...given));

const failure = async (call: Promise<unknown>): Promise<Error & { code?: string; details?: Record<string, unknown> }> =>
  call.then(
    (output) => {
      throw new Error(`it succeeded: ${JSON.stringify(output).slice(0, 200)}`);
    },
    (error: Error) => error,
  );

describe("a server that", () => {
  test("answers 10 MB: the whole is an artifact, the output its beginning", async () => {
    const { registry } = await open([misbehaving()]);
    const call = toolCall();
    const output = (await registry.run("odd.big", { mb: 10 }, call)) as { text: string; artifacts: unknown[] };
    expect(output.text).toHaveLength(4_000);
    expect(output.artifacts).toHaveLength(1);
    expect([...call.artifacts.values()][0]?.content).toHaveLength(10_000_000);
  });

  test("answers bytes: each is an artifact with its type, and a link stays a link", async () => {
    const { registry } = await open([misbehaving()]);
    const call = toolCall();
    const output = await registry.run("odd.image", {}, call);
    expect(output).toMatchObject({
      text: "a picture",
      artifacts: [{ mediaType: "image/png" }, { mediaType: "audio/wav" }, { mediaType: "application/octet-stream" }],
      links: [{ uri: "https://example.com/x", name: "x" }],
    });
    expect([...call.artifacts.values()].map(({ content }) => [...content])).toEqual([[1, 2, 3], [4], [5]]);
  });

  test("answers with __proto__: the key is left out, and nothing has it as a prototype", async () => {
    const { registry } = await open([misbehaving()]);
    const output = (await registry.run("odd.proto", {}, toolCall())) as { structured: Record<string, unknown> };
    expect(output.structured).toEqual({ kept: { constructor: 2 } });
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
    expect(output.structured["polluted"]).toBeUndefined();
  });

  test("answers with NUL, or nested without end: the one is repaired, the other is no answer", async () => {
    const { registry } = await open([misbehaving({ idleTimeoutMs: 300 })]);
    expect(await registry.run("odd.nul", {}, toolCall())).toEqual({ text: "a\uFFFDb" });
    expect(await failure(registry.run("odd.deep", {}, toolCall()))).toMatchObject({ details: { sent: true } });
    expect(await registry.run("odd.echo", {}, toolCall())).toEqual({ text: "echo" });
  });

  test("hangs: the call is given up after its idle time, in doubt; the server hears of it, is started anew, and goes on", async () => {
    const { registry, logged } = await open([misbehaving({ idleTimeoutMs: 300 })]);
    const error = await failure(registry.run("odd.hang", {}, toolCall()));
    expect(error).toMatchObject({ code: "tool-failed", details: { sent: true } });
    expect(error.message).toContain("no progress for 300 ms");
    const heard = (await registry.run("odd.received", {}, toolCall())) as { text: string };
    expect(JSON.parse(heard.text)).toContain("notifications/cancelled");
    await expect
      .poll(() => logged.filter(({ event }) => event === "mcp-server-gone"), { timeout: 10_000 })
      .toHaveLength(1);
    expect(await registry.run("odd.echo", {}, toolCall())).toEqual({ text: "echo" });
  }, 20_000);

  test("crashes in the middle of a call: that call is in doubt, the next one finds a new server", async () => {
    const starts = `${newFolder()}/starts`;
    const { registry } = await open([misbehaving({ env: { STARTS_FILE: starts } })]);
    for (const [tool, how] of [
      ["odd.crash", "was ended by SIGKILL"],
      ["odd.leave", "ended with exit code 3"],
    ] as const) {
      const error = await failure(registry.run(tool, {}, toolCall()));
      expect(error).toMatchObject({ code: "tool-failed", details: { sent: true } });
      expect(error.message).toContain(how);
      expect(await registry.run("odd.echo", {}, toolCall())).toEqual({ text: "echo" });
    }
    expect(readFileSync(starts, "utf8").trim().split("\n")).toHaveLength(3);
  });

  test("crashes each time: it is started ever more seldom, and a caller hears when to come again", async () => {
    const starts = `${newFolder()}/starts`;
    const { registry } = await open([misbehaving({ env: { STARTS_FILE: starts } })]);
    const errors: Error[] = [];
    for (let no = 0; no < 8; no += 1) errors.push(await failure(registry.run("odd.crash", {}, toolCall())));
    const last = errors.at(-1);
    expect(last).toBeInstanceOf(RetryAfter);
    expect((last as RetryAfter).delayMs).toBeGreaterThan(3_000);
    expect(last?.message).toContain(
      'The MCP server "odd" is not there: was ended by SIGKILL. Nothing was asked of it.',
    );
    expect(readFileSync(starts, "utf8").trim().split("\n").length).toBeLessThan(8);
  }, 30_000);

  test("cannot be started: nothing was asked of it, and the reason is told", async () => {
    const { registry, mcp, catalogue } = await open([misbehaving({ command: "no-such-program" })], { lists: false });
    mcp.discover();
    await expect.poll(() => catalogue.problems, { timeout: 10_000 }).toHaveLength(1);
    expect(catalogue.problems[0]).toContain("the command was not found");
    expect(() => registry.find("odd.echo")).toThrowError(/no worker has listed them/);
  });

  test("writes garbage between its messages: it is left out", async () => {
    const { registry, logged } = await open([misbehaving()]);
    expect(await registry.run("odd.garbage", {}, toolCall())).toEqual({ text: "after garbage" });
    expect(logged.filter(({ event }) => event === "mcp-server-misbehaves").length).toBeGreaterThan(2);
    expect(JSON.stringify(logged)).not.toContain("this is no JSON");
  });

  test("floods with notifications: it is slowed down, this process goes on, and the answer arrives", async () => {
    const { registry } = await open([misbehaving({ idleTimeoutMs: 20_000 })]);
    const begun = performance.now();
    let last = begun;
    let longestMs = 0;
    const ticking = setInterval(() => {
      const now = performance.now();
      longestMs = Math.max(longestMs, now - last);
      last = now;
    }, 10);
    expect(await registry.run("odd.flood", { count: 8_000 }, toolCall())).toEqual({ text: "after the flood" });
    clearInterval(ticking);
    expect(performance.now() - begun).toBeGreaterThan(2_000);
    // A flood that is read as it comes leaves no turn to anything else until it is over.
    expect(last).toBeGreaterThan(begun);
    expect(longestMs).toBeLessThan(1_500);
  }, 30_000);

  test("sends a line without end: the connection ends, the memory stays, the call is in doubt", async () => {
    const { registry } = await open([misbehaving({ idleTimeoutMs: 60_000 })]);
    const before = process.memoryUsage().rss;
    const error = await failure(registry.run("odd.huge", {}, toolCall()));
    expect(error).toMatchObject({ details: { sent: true } });
    expect(error.message).toContain("sent a message of more than 50331648 bytes");
    expect(process.memoryUsage().rss - before).toBeLessThan(400_000_000);
    expect(await registry.run("odd.echo", {}, toolCall())).toEqual({ text: "echo" });
  }, 30_000);

  test("answers under other ids: no call gets what was not its own", async () => {
    const { registry } = await open([misbehaving({ idleTimeoutMs: 500 })]);
    const [lied, echoed] = await Promise.allSettled([
      registry.run("odd.liar", {}, toolCall()),
      registry.run("odd.echo", { text: "mine" }, toolCall()),
    ]);
    expect(lied).toMatchObject({ status: "rejected", reason: { code: "tool-failed", details: { sent: true } } });
    expect(echoed).toMatchObject({ status: "fulfilled", value: { text: "mine" } });
  });

  test("says that a call failed: nothing is in doubt, and what may have consequences is not tried again unasked", async () => {
    const { registry } = await open([
      misbehaving({ tools: { error: { effect: "read", disabled: false } } }),
      misbehaving({ name: "plain" }),
    ]);
    const read = await failure(registry.run("odd.error", {}, toolCall()));
    expect(read).toBeInstanceOf(BatonError);
    expect(read).toMatchObject({ code: "tool-failed", details: { sent: false } });
    expect(read.message).toBe('"odd.error" answered with an error: it did not work');
    const write = await failure(registry.run("plain.error", {}, toolCall()));
    expect(write).toBeInstanceOf(TerminalError);
    expect(write).toMatchObject({ code: "tool-failed", sent: false });
    expect(await failure(registry.run("odd.refuse", {}, toolCall()))).toMatchObject({
      code: "tool-input-invalid",
      details: { sent: false },
    });
  });
});

describe("a call", () => {
  test("lives as long as it shows progress, and its key goes along", async () => {
    const { registry } = await open([misbehaving({ idleTimeoutMs: 600 })]);
    const said: string[] = [];
    const call = toolCall({ idempotencyKey: "step-7", progress: (message) => void said.push(message) });
    expect(await registry.run("odd.slow", { times: 8, everyMs: 300 }, call)).toEqual({ text: "done" });
    expect(said[0]).toMatch(/^odd\.slow: at it \(\d of 8\)$/);
    const { text } = (await registry.run("odd.meta", {}, call)) as { text: string };
    expect(JSON.parse(text)).toMatchObject({ "baton/idempotency-key": "step-7" });
  });

  test("that is aborted ends at once, progress or not, and the server hears of it", async () => {
    const { registry } = await open([misbehaving()]);
    const stop = new AbortController();
    const reason = new BatonError("deadline-exceeded", "It is over.");
    const call = toolCall({ signal: stop.signal, progress: () => stop.abort(reason) });
    await expect(registry.run("odd.slow", { times: 1_000, everyMs: 50 }, call)).rejects.toBe(reason);
    const { text } = (await registry.run("odd.received", {}, toolCall())) as { text: string };
    expect(JSON.parse(text)).toContain("notifications/cancelled");
  });

  test("with arguments that are no object is refused before anything is sent", async () => {
    const { registry } = await open([misbehaving()]);
    for (const args of [[1], "x", 7])
      expect(await failure(registry.run("odd.echo", args, toolCall()))).toMatchObject({
        code: "tool-input-invalid",
        details: { sent: false },
      });
  });
});
