/** How long a token is under way: from the model's server, through a worker and the live channel, to the reader. */
import { readServerSentEvents } from "@baton/client";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type ScriptedModel, startScriptedModel } from "./scripted-model.ts";
import { newId, onEachBackend, type Stack, startStack } from "./stack.ts";

const tokens = 100;
/** The aim is 100 ms; a machine that is busy with something else has to pass as well. */
const guardMs = 1_000;

/** Each token says when it was sent. */
function timedChunks(): string[] {
  const chunks: string[] = [];
  for (let index = 0; index < tokens; index++)
    Object.defineProperty(chunks, index, { enumerable: true, get: () => `${Date.now()} ` });
  return chunks;
}

onEachBackend("a token of a worker", (backend) => {
  let model: ScriptedModel;
  let stack: Stack;
  beforeAll(async () => {
    model = await startScriptedModel();
    stack = await startStack({ backend, workers: 1, env: model.env });
  });
  afterAll(async () => {
    await stack?.stop();
    await model?.close();
  });

  it("is with its reader soon", async () => {
    const word = model.script({ reply: { chunks: timedChunks(), chunkDelayMs: 20 } });
    const response = await stack.call("/api/chat", {
      json: { id: newId(), message: { role: "user", parts: [{ type: "text", text: `Count, ${word}` }] } },
    });
    if (response.body === null) throw new Error("no body");
    const delays: number[] = [];
    for await (const { data } of readServerSentEvents(response.body)) {
      const part = data === "[DONE]" ? undefined : (JSON.parse(data) as { type: string; delta?: string });
      if (part?.type === "text-delta")
        for (const sentAt of (part.delta ?? "").trim().split(/\s+/)) delays.push(Date.now() - Number(sentAt));
    }
    expect(delays).toHaveLength(tokens);
    const sorted = delays.toSorted((a, b) => a - b);
    const [median = Number.NaN, p95 = Number.NaN] = [sorted[tokens / 2], sorted[Math.floor(tokens * 0.95)]];
    console.log(`token to reader over ${backend}: median ${median} ms, p95 ${p95} ms (${tokens} tokens)`);
    expect(median).toBeGreaterThanOrEqual(0);
    expect(median).toBeLessThan(guardMs);
  });
});
