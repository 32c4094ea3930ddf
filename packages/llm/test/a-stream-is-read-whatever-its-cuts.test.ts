import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it } from "vitest";
import { ask, modelsOf, openModel, sonnet } from "./models.fixture.ts";

const text = "Grüße, 世界 🌍!";
const pieces = ["Grüße", ", 世", "界 🌍", "!"];

const anthropic = [
  {
    type: "message_start",
    message: {
      id: "m",
      type: "message",
      role: "assistant",
      model: sonnet.model,
      content: [],
      usage: { input_tokens: 9, output_tokens: 1 },
    },
  },
  { type: "ping" },
  { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
  ...pieces.map((piece) => ({ type: "content_block_delta", index: 0, delta: { type: "text_delta", text: piece } })),
  { type: "content_block_stop", index: 0 },
  { type: "message_delta", delta: { stop_reason: "end_turn", stop_sequence: null }, usage: { output_tokens: 4 } },
  { type: "message_stop" },
];
const openAi = [
  ...pieces.map((content) => ({ id: "c", created: 1, model: "m", choices: [{ index: 0, delta: { content } }] })),
  { id: "c", created: 1, model: "m", choices: [{ index: 0, delta: {}, finish_reason: "stop" }] },
  { id: "c", created: 1, model: "m", choices: [], usage: { prompt_tokens: 9, completion_tokens: 4 } },
];

/** A server that answers with these bytes, `size` at a time. */
async function answering(bytes: Buffer, size: number) {
  const server = createServer((request, response) => {
    request.resume();
    response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" });
    const send = (from: number): void => {
      if (from >= bytes.length) response.end();
      else response.write(bytes.subarray(from, from + size), () => setImmediate(send, from + size));
    };
    send(0);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close: () => server.close() };
}

const written = (events: readonly object[], end: string, split: boolean): Buffer =>
  Buffer.from(
    `: a comment${end}${end}${events
      .map((event) => {
        const json = JSON.stringify(event, null, split ? 1 : 0);
        const data = json.split("\n").map((line) => `data: ${line}${end}`);
        return `event: x${end}${data.join("")}${end}`;
      })
      .join("")}data: [DONE]${end}${end}`,
  );

describe.each([
  ["anthropic", sonnet, anthropic],
  ["openai-compatible", openModel, openAi],
] as const)("an answer of %s", (_name, model, events) => {
  it.each([
    ["cut after every byte", "\n", 1, false],
    ["cut after every byte, with CR LF", "\r\n", 1, false],
    ["with CR as the end of a line", "\r", 7, false],
    ["whose events have many lines", "\n", 64, true],
    ["in one piece", "\n", 1_000_000, false],
  ] as const)("%s comes out whole and in order", async (_how, end, size, split) => {
    const server = await answering(written(events, end, split), size);
    const heard: string[] = [];
    try {
      const reply = await modelsOf(server.url).generate(ask(model, { onDelta: (piece) => heard.push(piece) }));
      expect(heard).toEqual(pieces);
      expect(reply).toMatchObject({ text, finishReason: "stop", usage: { inputTokens: 9, outputTokens: 4 } });
    } finally {
      server.close();
    }
  });
});
