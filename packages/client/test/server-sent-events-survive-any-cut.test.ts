import { readServerSentEvents } from "@baton/client";
import type { ServerSentEvent } from "@baton/client";
import fc from "fast-check";
import { expect, it } from "vitest";

function streamOf(bytes: Uint8Array, cuts: readonly number[]): ReadableStream<Uint8Array> {
  const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  return new ReadableStream({
    start(controller) {
      let from = 0;
      for (const to of [...places, bytes.length]) {
        if (to > from) controller.enqueue(bytes.subarray(from, to));
        from = to;
      }
      controller.close();
    },
  });
}

async function read(text: string, cuts: readonly number[] = []): Promise<ServerSentEvent[]> {
  const events: ServerSentEvent[] = [];
  for await (const event of readServerSentEvents(streamOf(new TextEncoder().encode(text), cuts))) events.push(event);
  return events;
}

it("gives the same events however the bytes are cut, with any line ends", async () => {
  const line = fc.string({ unit: "grapheme", maxLength: 12 }).filter((text) => !/[\r\n\0]/.test(text));
  const event = fc.record({
    data: fc.array(line, { minLength: 1, maxLength: 3 }),
    id: fc.option(line),
    event: fc.option(line.filter((text) => text !== "")),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(event, { maxLength: 6 }),
      fc.constantFrom("\n", "\r\n", "\r"),
      fc.array(fc.nat(), { maxLength: 8 }),
      async (given, end, cuts) => {
        let id: string | undefined;
        const wanted = given.map((one): ServerSentEvent => {
          id = one.id ?? id;
          return { event: one.event ?? "message", data: one.data.join("\n"), id };
        });
        const text = given
          .map((one) =>
            [
              one.id === null ? [] : [`id: ${one.id}`],
              one.event === null ? [] : [`event: ${one.event}`],
              one.data.map((part) => `data: ${part}`),
              ["", ""],
            ]
              .flat()
              .join(end),
          )
          .join(`:comment${end}`);
        expect(await read(text, cuts)).toEqual(wanted);
      },
    ),
  );
});

it("drops an event that its connection did not finish", async () => {
  expect(await read("data: whole\n\ndata: half\n")).toEqual([{ event: "message", data: "whole", id: undefined }]);
});
