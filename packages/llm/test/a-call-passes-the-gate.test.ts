/** What a call asks of the gate and what it tells it, over the wire against the scripted server. */
import type { BatonError } from "@baton/core";
import type { Admission, CallNeed, CallReport, ProviderGate } from "@baton/core/ports";
import { type Fault, type ModelServer, startModelServer } from "@baton/testing/model-server";
import { afterEach, describe, expect, it } from "vitest";
import { ask, modelsOf, openModel, sonnet } from "./models.fixture.ts";

let server: ModelServer;
afterEach(() => server.close());

/** Answers from a list, the last of them for ever, and keeps what it was asked and told. */
function listedGate(...answers: readonly Admission[]) {
  const asked: CallNeed[] = [];
  const told: CallReport[] = [];
  const gate: ProviderGate = {
    admitCall: async (need) => {
      asked.push(need);
      return answers[Math.min(asked.length, answers.length) - 1] as Admission;
    },
    reportCall: (report) => void told.push(report),
  };
  return { gate, asked, told };
}

const passed = (more: { readonly isProbe?: boolean; readonly waitMs?: number } = {}): Admission => ({
  pass: { key: "k", callNo: 1, admitted: [1, 1, 1, 2], isProbe: more.isProbe ?? false, isWatched: false },
  waitMs: more.waitMs ?? 0,
});
const failureOf = (call: Promise<unknown>): Promise<BatonError> =>
  call.then(
    () => expect.unreachable("answered"),
    (error: unknown) => error as BatonError,
  );

describe("a call that may go", () => {
  it("asks once, with its model and estimates, and tells the limits in the answer's head before the answer is whole", async () => {
    const headers = { "anthropic-ratelimit-requests-limit": "50", "anthropic-ratelimit-requests-remaining": "7" };
    server = await startModelServer({ fallback: { chunks: ["a ", "b"], headers } });
    const { gate, asked, told } = listedGate(passed());
    const toldAtDelta: number[] = [];
    await modelsOf(server.url, { gate }).generate(ask(sonnet, { onDelta: () => toldAtDelta.push(told.length) }));
    expect(asked).toEqual([{ key: "anthropic/claude-sonnet-5-5", inputTokens: 4, outputTokens: 1_000 }]);
    expect(toldAtDelta[0]).toBe(1);
    expect(told.map(({ limits, outcome }) => limits?.requests?.remaining ?? outcome)).toEqual([7, "ok"]);
  });

  it("waits the moment it is told, and an abort ends the wait without a request", async () => {
    server = await startModelServer({ fallback: { text: "x" } });
    const stop = new AbortController();
    const { gate } = listedGate(passed({ waitMs: 60_000 }));
    const call = failureOf(modelsOf(server.url, { gate }).generate(ask(sonnet, { signal: stop.signal })));
    stop.abort(new Error("cancelled"));
    expect((await call).message).toBe("cancelled");
    expect(server.requests).toHaveLength(0);
  });

  it.each<readonly [Fault, string | undefined, string]>([
    [{ kind: "overloaded" }, "away", "provider-unavailable"],
    [{ kind: "server-error" }, "away", "provider-unavailable"],
    [{ kind: "reset" }, "away", "provider-unavailable"],
    [{ kind: "hang" }, "away", "output-cut"],
    [{ kind: "hang", afterChunks: 1 }, "away", "output-cut"],
    [{ kind: "rate-limit" }, "throttled", "provider-throttled"],
    [{ kind: "spend-limit" }, "ok", "provider-spend-limit"],
    [{ kind: "unauthorized" }, "ok", "provider-auth"],
    [{ kind: "bad-request" }, "ok", "provider-rejected"],
    [{ kind: "context-too-long" }, "ok", "context-too-large"],
    [{ kind: "refusal" }, "ok", "model-refused"],
    [{ kind: "cut", afterChunks: 1 }, "ok", "output-cut"],
  ])("that meets %j tells that the provider is %s, and is %s to the step", async (fault, outcome, code) => {
    server = await startModelServer({ fallback: { text: "one two three", fault } });
    const { gate, told } = listedGate(passed());
    const models = modelsOf(server.url, { gate, streamIdleMs: 200 });
    const error = await failureOf(models.generate(ask(sonnet, { onDelta: () => {} })));
    const outcomes = told.flatMap((report) => report.outcome ?? []);
    expect([error.code, outcomes]).toEqual([code, [outcome]]);
    expect(server.requests).toHaveLength(1);
  });

  it("passes the provider's Retry-After on, and comes back no sooner", async () => {
    server = await startModelServer({ fallback: { text: "x", fault: { kind: "rate-limit", retryAfter: "7" } } });
    const { gate, told } = listedGate(passed());
    const error = await failureOf(modelsOf(server.url, { gate }).generate(ask(openModel)));
    expect(told.at(-1)).toMatchObject({ outcome: "throttled", retryAfterMs: 7_000 });
    expect(error).toMatchObject({ code: "provider-throttled", details: { retryAfterMs: 7_000 } });
  });

  it("that looks after a provider which is still away is no failure of its step", async () => {
    server = await startModelServer({ fallback: { text: "x", fault: { kind: "overloaded" } } });
    const { gate } = listedGate(passed({ isProbe: true }));
    const error = await failureOf(modelsOf(server.url, { gate }).generate(ask(sonnet)));
    expect(error).toMatchObject({ code: "provider-open", details: { retryAfterMs: 5_000 } });
    expect(error.message).toContain("Overloaded");
  });
});

describe("a call that may not go", () => {
  it("is told why and when, and takes no turn of the pace from the second time on", async () => {
    server = await startModelServer({ fallback: { text: "x" } });
    const refused = { reason: "open", waitMs: 5_000, problem: "529 Overloaded", since: Date.UTC(2026, 0, 1) } as const;
    const { gate, asked, told } = listedGate({ refused });
    let turns = 0;
    const limiter = { acquire: async () => void turns++ };
    const models = modelsOf(server.url, { gate, limiter });
    for (let no = 0; no < 3; no++) {
      const error = await failureOf(models.generate(ask(sonnet, { onSend: () => expect.unreachable("sent") })));
      expect(error).toMatchObject({ code: "provider-open", details: { retryAfterMs: 5_000, sent: false } });
      expect(error.message).toContain("since 2026-01-01T00:00:00.000Z (529 Overloaded)");
    }
    expect([asked.length, told.length, turns, server.requests.length]).toEqual([3, 0, 1, 0]);
  });

  it("for a limit says which", async () => {
    server = await startModelServer({ fallback: { text: "x" } });
    const { gate } = listedGate({ refused: { reason: "limit", waitMs: 3_000, kind: "input", perMinute: 40_000 } });
    const error = await failureOf(modelsOf(server.url, { gate }).generate(ask(sonnet)));
    expect(error.code).toBe("provider-throttled");
    expect(error.message).toContain("40000 input tokens a minute");
  });

  it("because nobody knows the provider's limits yet waits in place, and asks again", async () => {
    server = await startModelServer({ fallback: { text: "x" } });
    const { gate, asked } = listedGate({ refused: { reason: "unknown", waitMs: 30 } }, passed());
    expect((await modelsOf(server.url, { gate }).generate(ask(sonnet))).text).toBe("x");
    expect(asked).toHaveLength(2);
  });

  it("is never the offline model's", async () => {
    server = await startModelServer({});
    const { gate, asked } = listedGate({ refused: { reason: "open", waitMs: 5_000 } });
    const model = { provider: "offline", model: "offline-rules" };
    await modelsOf(server.url, { gate }).generate(ask(model));
    expect(asked).toEqual([]);
  });
});

describe("a stream that goes silent", () => {
  it("is cut after its time, with what it has spent, and its socket is closed", async () => {
    server = await startModelServer({ fallback: { text: "one two three", fault: { kind: "hang", afterChunks: 2 } } });
    const began = Date.now();
    const error = await failureOf(
      modelsOf(server.url, { streamIdleMs: 300 }).generate(ask(sonnet, { onDelta: () => {} })),
    );
    expect(Date.now() - began).toBeGreaterThanOrEqual(250);
    expect(error).toMatchObject({ code: "output-cut", details: { silent: true, text: "one two " } });
    expect(error.details["usage"]).toMatchObject({ estimated: true });
    expect(error.message).toContain("sent nothing for 300 ms");
  });

  it("is not cut as long as something comes, however slowly", async () => {
    const chunks = Array.from({ length: 12 }, (_, no) => `w${no} `);
    server = await startModelServer({ fallback: { chunks, chunkDelayMs: 60 } });
    const reply = await modelsOf(server.url, { streamIdleMs: 400 }).generate(ask(sonnet, { onDelta: () => {} }));
    expect(reply.text).toBe(chunks.join(""));
  });

  it("is cut also where an object streams through the SDK", async () => {
    const outputSchema = {
      type: "object",
      properties: { a: { type: "string" } },
      required: ["a"],
      additionalProperties: false,
    };
    server = await startModelServer({ fallback: { object: { a: "x" }, fault: { kind: "hang" } } });
    const models = modelsOf(server.url, { streamIdleMs: 300 });
    const error = await failureOf(models.generate(ask(sonnet, { outputSchema, onDelta: () => {} })));
    expect(error.details["silent"]).toBe(true);
  });
});
