import { BatonError, RetryAfter } from "@baton/core";
import type { ModelReply } from "@baton/core/ports";
import { type Fault, type ModelServer, type ScriptedReply, startModelServer } from "@baton/testing/model-server";
import { afterEach, describe, expect, it } from "vitest";
import { ask, modelsOf, openModel, short, sonnet } from "./models.fixture.ts";

let server: ModelServer;
afterEach(() => server.close());

/** Everything a failed call left: its error, what was heard, how many requests went out. */
async function failed(wire: Wire, mode: Mode, fault: Fault, reply: Partial<ScriptedReply> = {}) {
  server = await startModelServer({ replies: [{ text: "one two three four", ...reply, fault }] });
  const deltas: string[] = [];
  const models = modelsOf(server.url);
  const error = await models
    .generate(
      ask(
        wire === "anthropic" ? sonnet : openModel,
        mode === "streamed" ? { onDelta: (text) => deltas.push(text) } : short,
      ),
    )
    .then((value: ModelReply) => expect.unreachable(`answered ${JSON.stringify(value)}`))
    .catch((thrown: unknown) => thrown);
  return { error, deltas, requestCount: server.requests.length };
}

type Wire = "anthropic" | "openai";
type Mode = "whole" | "streamed";
const wires: readonly Wire[] = ["anthropic", "openai"];
const modes: readonly Mode[] = ["whole", "streamed"];

const table: readonly (readonly [string, Fault, string])[] = [
  ["429 without Retry-After", { kind: "rate-limit" }, "provider-rate-limited"],
  ["429 about the spend limit", { kind: "spend-limit" }, "provider-spend-limit"],
  ["529 overloaded", { kind: "overloaded" }, "provider-unavailable"],
  ["500", { kind: "server-error" }, "provider-unavailable"],
  ["401", { kind: "unauthorized" }, "provider-auth"],
  ["400", { kind: "bad-request" }, "provider-rejected"],
  ["an over-long prompt", { kind: "context-too-long" }, "context-too-large"],
  ["a reset before any answer", { kind: "reset" }, "provider-unavailable"],
  ["an error inside a 200 at once", { kind: "error-event" }, "provider-unavailable"],
  ["an answer cut by a reset", { kind: "cut", afterChunks: 2 }, "output-cut"],
  ["no finish reason", { kind: "no-finish-reason" }, "output-cut"],
  ["an empty answer", { kind: "empty" }, "output-cut"],
  ["a refusal", { kind: "refusal" }, "model-refused"],
];

for (const wire of wires) {
  for (const mode of modes) {
    describe(`${wire}, ${mode}`, () => {
      it.each(table)("%s is one request and a classified error", async (_name, fault, code) => {
        const { error, requestCount } = await failed(wire, mode, fault);
        expect(error).toBeInstanceOf(BatonError);
        expect((error as BatonError).code).toBe(code);
        expect(requestCount).toBe(1);
      });

      it("429 with Retry-After in seconds says when to come back", async () => {
        const { error, requestCount } = await failed(wire, mode, { kind: "rate-limit", retryAfter: "7" });
        expect(error).toBeInstanceOf(RetryAfter);
        expect(error).toMatchObject({ delayMs: 7_000, code: "provider-rate-limited" });
        expect(requestCount).toBe(1);
      });

      it("429 with Retry-After as an HTTP date says when to come back", async () => {
        const at = new Date(Date.now() + 90_000).toUTCString();
        const { error } = await failed(wire, mode, { kind: "rate-limit", retryAfter: at });
        expect(error).toBeInstanceOf(RetryAfter);
        expect((error as RetryAfter).delayMs).toBeGreaterThan(60_000);
        expect((error as RetryAfter).delayMs).toBeLessThanOrEqual(90_000);
      });
    });
  }

  describe(`${wire}, cut while streaming`, () => {
    it.each([0, 1, 2, 3, 4])("after chunk %i by a reset is output-cut, with what was spent", async (afterChunks) => {
      const { error, deltas } = await failed(wire, "streamed", { kind: "cut", afterChunks });
      expect(error).toMatchObject({ code: "output-cut" });
      if (deltas.length > 0) expect((error as BatonError).details["usage"]).toMatchObject({ estimated: true });
    });

    it.each([0, 1, 2, 3, 4])("after chunk %i by a plain end is output-cut", async (afterChunks) => {
      const { error } = await failed(wire, "streamed", { kind: "cut", afterChunks, how: "end" });
      expect(error).toMatchObject({ code: "output-cut" });
    });

    it("an error event after text is the provider's error and carries the account", async () => {
      const { error, deltas } = await failed(wire, "streamed", { kind: "error-event", afterChunks: 2 });
      expect(error).toMatchObject({ code: "provider-unavailable" });
      expect(deltas.join("")).toBe("one two ");
      expect((error as BatonError).details["text"]).toBe("one two ");
    });
  });
}

describe("before and inside an answer", () => {
  it("a rate limit that strikes in mid-stream is one", async () => {
    const fault = { kind: "error-event", afterChunks: 1, type: "rate_limit_error" } as const;
    const { error } = await failed("anthropic", "streamed", fault);
    expect(error).toMatchObject({ code: "provider-rate-limited" });
  });

  it("nobody listening is provider-unavailable", async () => {
    server = await startModelServer({});
    const url = server.url;
    await server.close();
    await expect(modelsOf(url).generate(ask(sonnet))).rejects.toMatchObject({ code: "provider-unavailable" });
    server = await startModelServer({});
  });
});

describe("structured output that is not JSON", () => {
  const outputSchema = {
    type: "object",
    properties: { a: { type: "string" } },
    required: ["a"],
    additionalProperties: false,
  };

  it.each(wires)("%s: prose instead of JSON is output-invalid and keeps the text for a repair", async (wire) => {
    server = await startModelServer({ replies: [{ text: "sorry, no JSON" }] });
    const error = await modelsOf(server.url)
      .generate(ask(wire === "anthropic" ? sonnet : openModel, { outputSchema }))
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "output-invalid", details: { text: "sorry, no JSON" } });
  });

  it("a forced tool's malformed arguments are output-invalid", async () => {
    // A schema with open objects makes the SDK ask through a forced tool on models that allow it.
    const open = { type: "object", properties: { a: { type: "object", additionalProperties: true } }, required: ["a"] };
    server = await startModelServer({ replies: [{ object: { a: {} }, fault: { kind: "malformed-tool-json" } }] });
    const error = await modelsOf(server.url)
      .generate(ask({ provider: "anthropic", model: "claude-sonnet-4-6" }, { outputSchema: open, onDelta: () => {} }))
      .catch((thrown: unknown) => thrown);
    expect(server.requests[0]?.body["tools"]).toBeDefined();
    expect((error as BatonError).code).toBe("output-invalid");
  });

  it("an object cut by the token limit is output-cut", async () => {
    server = await startModelServer({ replies: [{ text: '{"a": "unfin', lengthLimited: true }] });
    await expect(modelsOf(server.url).generate(ask(sonnet, { outputSchema }))).rejects.toMatchObject({
      code: "output-cut",
    });
  });
});
