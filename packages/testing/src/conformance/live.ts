/**
 * What every implementation of the live channel's port promises, as one suite.
 *
 * Boundary: it knows the port and a server that can be stopped.
 * 1. Every case has a topic of its own.
 * 2. Nothing is measured: cases wait for a condition, with a generous guard.
 */
import { randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import type { LiveMessage, LivePort } from "@baton/core/ports";

export interface LiveHarness {
  /** A channel as another process would have it, with connections of its own. */
  open(onError: (error: Error) => void): Promise<{ live: LivePort; close(): Promise<void> }>;
  stop(): Promise<void>;
  start(): Promise<void>;
  /** Cuts the connections that followers listen on; the server stays and loses nothing. */
  cutFollowers(): Promise<void>;
  close(): Promise<void>;
}

const guard = { timeout: 30_000, interval: 20 };

function count(upTo: number): number[] {
  return Array.from({ length: upTo }, (_, index) => index);
}

export function liveConformance(name: string, setup: () => Promise<LiveHarness>): void {
  describe(`live channel on ${name}`, () => {
    let harness: LiveHarness;
    let topic = "";
    const opened: { close(): Promise<void> }[] = [];

    beforeAll(async () => {
      harness = await setup();
    });
    afterAll(async () => {
      await harness.close();
    });
    afterEach(async () => {
      await Promise.all(opened.splice(0).map((channel) => channel.close()));
    });

    async function open(): Promise<{ live: LivePort; errors: Error[] }> {
      topic = `task:${randomUUID()}`;
      const errors: Error[] = [];
      const channel = await harness.open((error) => errors.push(error));
      opened.push(channel);
      return { live: channel.live, errors };
    }

    /** Follows a topic and keeps what it saw, in order. */
    async function follow(live: LivePort, on: string, after?: string) {
      const seen: LiveMessage[] = [];
      const subscription = await live.subscribe(on, after, (message) => seen.push(message));
      return { seen, data: () => seen.map(({ data }) => data), close: () => subscription.close() };
    }

    it("brings what one process publishes to a follower in another, in order", async () => {
      const [{ live: publisher }, { live: reader }] = [await open(), await open()];
      const { data } = await follow(reader, topic);
      for (const number of count(50)) publisher.publish(topic, { number });
      await vi.waitFor(() => expect(data()).toEqual(count(50).map((number) => ({ number }))), guard);
    });

    it("gives a late subscriber the replay, and a reader what follows its cursor", async () => {
      const [{ live: publisher }, { live: reader }] = [await open(), await open()];
      for (const number of count(10)) publisher.publish(topic, number);
      await publisher.flush();
      const first = await follow(reader, topic);
      await vi.waitFor(() => expect(first.data()).toEqual(count(10)), guard);
      const second = await follow(reader, topic, first.seen[6]?.cursor);
      await vi.waitFor(() => expect(second.data()).toEqual([7, 8, 9]), guard);
      publisher.publish(topic, 10);
      await vi.waitFor(() => expect(second.data()).toEqual([7, 8, 9, 10]), guard);
      expect(first.data()).toEqual(count(11));
    });

    it("leaves no gap and no repeat between replay and what follows, with two publishers and late joiners", async () => {
      const [{ live: one }, { live: two }, { live: reader }] = [await open(), await open(), await open()];
      const joiners: Promise<Awaited<ReturnType<typeof follow>>>[] = [];
      for (const number of count(200)) {
        one.publish(topic, { from: 1, number });
        two.publish(topic, { from: 2, number });
        if (number % 5 === 0) await Promise.all([one.flush(), two.flush()]);
        if (number % 20 === 0) joiners.push(follow(reader, topic));
      }
      const followers = await Promise.all(joiners);
      await Promise.all([one.flush(), two.flush()]);
      for (const { seen, data } of followers) {
        await vi.waitFor(() => expect(seen.length).toBeGreaterThanOrEqual(400), guard);
        expect(new Set(seen.map(({ cursor }) => cursor)).size).toBe(400);
        for (const from of [1, 2]) {
          const numbers = (data() as { from: number; number: number }[]).filter((message) => message.from === from);
          expect(numbers.map(({ number }) => number)).toEqual(count(200));
        }
      }
      const orders = new Set(followers.map(({ seen }) => seen.map(({ cursor }) => cursor).join()));
      expect(orders.size).toBe(1);
    });

    it("keeps the newest 1,000 messages for a late subscriber", async () => {
      const { live } = await open();
      for (const number of count(1_200)) live.publish(topic, number);
      await live.flush();
      const { data } = await follow(live, topic);
      await vi.waitFor(() => expect(data()).toEqual(count(1_200).slice(200)), guard);
    });

    it("sends consecutive deltas of one text as one message", async () => {
      const { live } = await open();
      const { data } = await follow(live, topic);
      for (const number of count(100)) live.publish(topic, { step: "a", delta: `${number},` });
      live.publish(topic, { step: "b", delta: "other" });
      live.publish(topic, { step: "a", delta: "again" });
      await live.flush();
      const text = count(100).map((number) => `${number},`);
      await vi.waitFor(
        () =>
          expect(data()).toEqual([
            { step: "a", delta: text.join("") },
            { step: "b", delta: "other" },
            { step: "a", delta: "again" },
          ]),
        guard,
      );
    });

    it("keeps topics apart, and tells nothing to a subscriber that left", async () => {
      const { live } = await open();
      const other = `${topic}:other`;
      const here = await follow(live, topic);
      const there = await follow(live, other);
      const leaving = await follow(live, topic);
      await leaving.close();
      live.publish(topic, "here");
      live.publish(other, "there");
      await vi.waitFor(() => expect([here.data(), there.data()]).toEqual([["here"], ["there"]]), guard);
      await here.close();
      live.publish(topic, "nobody");
      live.publish(other, "still there");
      await vi.waitFor(() => expect(there.data()).toEqual(["there", "still there"]), guard);
      expect(here.data()).toEqual(["here"]);
      expect(leaving.data()).toEqual([]);
    });

    it.each([
      ["a NUL", "a\u0000b"],
      ["a lone surrogate", "\ud800"],
      ["line breaks", "a\nb\r\nc\u2028d"],
      ["quotes and braces", `"'{}[]\\$$ $1`],
      ["text of every width", "aé€😀"],
      ["many small elements, at the size limit", Array.from({ length: 2_900 }, () => 1)],
      ["wide text, at the size limit", "é".repeat(2_990)],
      ["null", null],
    ])("brings %s unchanged", async (_what, value) => {
      const { live } = await open();
      const { data } = await follow(live, topic);
      live.publish(topic, { value });
      await vi.waitFor(() => expect(data()).toEqual([{ value }]), guard);
    });

    it("reports what cannot be sent, without throwing, and sends the rest", async () => {
      const { live, errors } = await open();
      const { data } = await follow(live, topic);
      const circular: { self?: unknown } = {};
      circular.self = circular;
      live.publish(topic, circular);
      live.publish(topic, undefined);
      live.publish(topic, "é".repeat(3_001));
      live.publish("not a topic", 1);
      live.publish(topic, "fine");
      await vi.waitFor(() => expect(data()).toEqual(["fine"]), guard);
      expect(errors).toHaveLength(4);
    });

    it("refuses a cursor and a topic that it cannot have given", async () => {
      const { live } = await open();
      await expect(live.subscribe(topic, "no cursor", () => undefined)).rejects.toMatchObject({
        code: "invalid-cursor",
      });
      await expect(live.subscribe("", undefined, () => undefined)).rejects.toMatchObject({ code: "invalid-request" });
    });

    it("reports a subscriber that throws, and serves it and the others on", async () => {
      const { live, errors } = await open();
      const seen: unknown[] = [];
      await live.subscribe(topic, undefined, ({ data }) => {
        seen.push(data);
        throw new Error("my own fault");
      });
      const other = await follow(live, topic);
      live.publish(topic, 1);
      live.publish(topic, 2);
      await vi.waitFor(
        () =>
          expect([seen, other.data()]).toEqual([
            [1, 2],
            [1, 2],
          ]),
        guard,
      );
      expect(errors.map(({ message }) => message)).toEqual(["my own fault", "my own fault"]);
    });

    it("reads what it missed when its connection was cut", async () => {
      const [{ live: publisher }, { live: reader }] = [await open(), await open()];
      const { data } = await follow(reader, topic);
      for (const number of count(60)) {
        publisher.publish(topic, number);
        await publisher.flush();
        if (number % 20 === 10) await harness.cutFollowers();
      }
      await vi.waitFor(() => expect(data()).toEqual(count(60)), guard);
    });

    it("neither throws nor hangs while the server is away, says so, and follows again when it is back", async () => {
      const [{ live: publisher, errors }, { live: reader }] = [await open(), await open()];
      const before = await follow(reader, topic);
      publisher.publish(topic, "before");
      await vi.waitFor(() => expect(before.data()).toEqual(["before"]), guard);
      await harness.stop();
      let during: Awaited<ReturnType<typeof follow>>;
      try {
        for (const number of count(5)) {
          publisher.publish(topic, `lost ${number}`);
          await publisher.flush();
        }
        expect(errors.length).toBeGreaterThan(0);
        during = await follow(reader, topic);
      } finally {
        await harness.start();
      }
      await vi.waitFor(() => {
        publisher.publish(topic, "after");
        expect(before.data()).toContain("after");
        expect(during.data()).toContain("after");
      }, guard);
    });

    it("closes while the server is away", async () => {
      const { live } = await open();
      await follow(live, topic);
      await harness.stop();
      try {
        live.publish(topic, "last words");
        await live.close();
      } finally {
        await harness.start();
      }
    });
  });
}
