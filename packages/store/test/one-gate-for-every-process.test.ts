/** The gate before a provider's model in PostgreSQL: however many processes ask, they behave as one client. */
import type { Admission, CallPass, ToldLimit } from "@baton/core/ports";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Bench, newId, type OpenedStore, openBench } from "./builders.ts";

let bench: Bench;
let stores: readonly OpenedStore["store"][];
let key: string;
beforeAll(async () => {
  bench = await openBench();
  const others = await Promise.all([bench.open(), bench.open(), bench.open()]);
  stores = [bench.store, ...others.map(({ store }) => store)];
});
afterAll(() => bench?.close());
beforeEach(async () => {
  key = `provider/${newId()}`;
  await at(-60_000);
  // A provider that has answered before; what that call has used is long back.
  await tell(passes(await ask(1))[0] as CallPass, {});
  await at(0);
});

const begin = Date.parse("2030-01-01T00:00:00Z");

/** The database's time from now on, since the beginning. */
async function at(ms: number): Promise<void> {
  const time = new Date(begin + ms).toISOString();
  await bench.admin.query(
    `create or replace function baton.clock() returns timestamptz language sql volatile parallel safe as $$ select timestamptz '${time}' $$`,
  );
}

const need = (inputTokens = 10, outputTokens = 10) => ({ key, inputTokens, outputTokens });
const pick = (index: number) => stores[index % stores.length] as OpenedStore["store"];

/** So many calls at once, over all processes. */
const ask = (count: number, tokens?: number): Promise<readonly Admission[]> =>
  Promise.all(Array.from({ length: count }, (_, index) => pick(index).gate.admitCall(need(tokens))));

const passes = (answers: readonly Admission[]): CallPass[] =>
  answers.flatMap((answer) => ("pass" in answer ? [answer.pass] : [])).sort((a, b) => a.callNo - b.callNo);
const refusals = (answers: readonly Admission[]) =>
  answers.flatMap((answer) => ("refused" in answer ? [answer.refused] : []));

async function tell(pass: CallPass, more: Omit<Parameters<OpenedStore["store"]["gate"]["reportCall"]>[0], "pass">) {
  pick(pass.callNo).gate.reportCall({ pass, ...more });
  await Promise.all(stores.map((store) => store.idle()));
}

const requests = (limit: number, remaining: number, resetMs?: number): { requests: ToldLimit } => ({
  requests: { limit, remaining, resetMs },
});

async function open(): Promise<void> {
  for (const pass of passes(await ask(5))) await tell(pass, { outcome: "away", problem: "529 Overloaded" });
}

describe("the breaker", () => {
  it("opens after five failures in a row, whichever process met them, and says what the provider said", async () => {
    const five = passes(await ask(5));
    for (const pass of five.slice(0, 4)) await tell(pass, { outcome: "away", problem: "529 Overloaded" });
    expect(passes(await ask(1))).toHaveLength(1);
    await tell(five[4] as CallPass, { outcome: "away", problem: "529 Overloaded" });
    const [refused] = refusals(await ask(1));
    expect(refused).toMatchObject({ reason: "open", problem: "529 Overloaded" });
    expect(refused?.waitMs).toBeGreaterThan(0);
    expect(refused?.waitMs).toBeLessThanOrEqual(5_000);
  });

  it("stays closed when a success lies between the failures, and when they are far apart", async () => {
    const six = passes(await ask(6));
    for (const pass of six.slice(0, 4)) await tell(pass, { outcome: "away" });
    await tell(six[4] as CallPass, { outcome: "ok" });
    await tell(six[5] as CallPass, { outcome: "away" });
    expect(passes(await ask(1))).toHaveLength(1);
    for (const ms of [40_000, 80_000, 120_000, 160_000, 200_000]) {
      await at(ms);
      await tell(passes(await ask(1))[0] as CallPass, { outcome: "away" });
    }
    expect(passes(await ask(1))).toHaveLength(1);
  });

  it("lets one call in five seconds look after the provider, over all processes", async () => {
    await open();
    const sent: number[] = [];
    for (let ms = 0; ms <= 31_000; ms += 500) {
      await at(ms);
      for (const pass of passes(await ask(12))) {
        expect(pass.isProbe).toBe(true);
        sent.push(ms);
        await tell(pass, { outcome: "away" });
      }
    }
    expect(sent).toHaveLength(6);
    for (const [index, ms] of sent.slice(1).entries())
      expect(ms - (sent[index] as number)).toBeGreaterThanOrEqual(5_000);
  });

  it("tells everybody who waits another time", async () => {
    await open();
    const waits = refusals(await ask(100)).map(({ waitMs }) => waitMs);
    expect(waits).toHaveLength(100);
    expect(new Set(waits).size).toBe(100);
    expect(Math.max(...waits)).toBeLessThanOrEqual(5_000 + 100 * 50);
  });

  it("does not open again for calls that were sent before it closed, nor close for those sent before it opened", async () => {
    const early = passes(await ask(12));
    for (const pass of early.slice(0, 5)) await tell(pass, { outcome: "away" });
    await tell(early[5] as CallPass, { outcome: "ok" });
    expect(refusals(await ask(1))).toHaveLength(1);
    await at(5_000);
    await tell(passes(await ask(1))[0] as CallPass, { outcome: "ok" });
    for (const pass of early.slice(6)) await tell(pass, { outcome: "away" });
    await at(6_500);
    expect(passes(await ask(1))).toHaveLength(1);
  });

  it("comes back slowly, and stays well below twice the normal rate while others wait", async () => {
    // Ten a second for 80 s.
    for (let ms = 0; ms < 80_000; ms += 100) {
      await at(ms);
      await ask(1);
    }
    await open();
    await at(85_100);
    await tell(passes(await ask(1))[0] as CallPass, { outcome: "ok" });
    const perSecond: number[] = [];
    let total = 0;
    for (let second = 0; second < 60; second++) {
      await at(85_100 + second * 1_000);
      const sent = passes(await ask(60)).length;
      perSecond.push(sent);
      total += sent;
    }
    // A call that goes within a second is counted in the second in which it is let through.
    const late = perSecond.slice(40);
    expect(Math.max(...late)).toBeLessThanOrEqual(17);
    expect(Math.min(...late)).toBeGreaterThanOrEqual(13);
    expect(perSecond[1]).toBeLessThanOrEqual(5);
    expect(total).toBeLessThan(60 * 15);
  });

  it("lets everything through again when nobody has had to wait for a while", async () => {
    await open();
    await at(5_000);
    await tell(passes(await ask(1))[0] as CallPass, { outcome: "ok" });
    await at(60_000);
    expect(passes(await ask(100))).toHaveLength(100);
  });
});

describe("the provider's limits", () => {
  it("let through no more calls than are left, of all processes together", async () => {
    const [first] = passes(await ask(1));
    await tell(first as CallPass, { limits: requests(50, 20) });
    const answers = await ask(60);
    // 50 a minute come back at one in 1.2 s, so none comes within the second that a call may wait for.
    expect(passes(answers)).toHaveLength(20);
    expect(refusals(answers)[0]).toMatchObject({ reason: "limit", kind: "requests", perMinute: 50 });
    await at(12_000);
    expect(passes(await ask(60))).toHaveLength(10);
  });

  it("tell who has to wait when it is its turn", async () => {
    const [first] = passes(await ask(1));
    await tell(first as CallPass, { limits: requests(60, 0) });
    const waits = refusals(await ask(30))
      .map(({ waitMs }) => waitMs)
      .sort((a, b) => a - b);
    // One is let through at once, to go within a second.
    expect(waits).toHaveLength(29);
    expect(waits[0]).toBe(2_000);
    expect(waits[28]).toBe(30_000);
  });

  it("count the calls that were let through after the one that brought them", async () => {
    const [first, ...rest] = passes(await ask(8));
    expect(rest).toHaveLength(7);
    await tell(first as CallPass, { limits: requests(50, 10) });
    expect(passes(await ask(20))).toHaveLength(3);
  });

  it("are those of the newest call, whichever answer comes last", async () => {
    const [first, second] = passes(await ask(2)) as [CallPass, CallPass];
    await tell(second, { limits: requests(50, 5) });
    await tell(first, { limits: requests(50, 40) });
    expect(passes(await ask(20))).toHaveLength(5);
  });

  it("of tokens hold back what is too large and not what is small", async () => {
    const [first] = passes(await ask(1));
    await tell(first as CallPass, { limits: { input: { limit: 10_000, remaining: 1_000, resetMs: 54_000 } } });
    expect(refusals(await ask(1, 8_000))[0]).toMatchObject({ reason: "limit", kind: "input" });
    expect(passes(await ask(1, 800))).toHaveLength(1);
  });

  it("let a call that is larger than the limit go when nothing else does", async () => {
    const [first] = passes(await ask(1));
    await tell(first as CallPass, { limits: { input: { limit: 1_000, remaining: 1_000, resetMs: 0 } } });
    expect(passes(await ask(1, 50_000))).toHaveLength(1);
    expect(refusals(await ask(1, 50_000))).toHaveLength(1);
  });

  it("come back as fast as the provider says", async () => {
    const [first] = passes(await ask(1));
    // 10,000 a day.
    await tell(first as CallPass, { limits: requests(10_000, 0, 86_400_000) });
    await at(60_000);
    expect(passes(await ask(50)).length).toBeLessThanOrEqual(8);
  });
});

describe("a provider that has never answered", () => {
  beforeEach(() => {
    key = `provider/${newId()}`;
  });

  it("is met with few calls until an answer begins", async () => {
    const answers = await ask(40);
    expect(passes(answers)).toHaveLength(8);
    expect(new Set(refusals(answers).map(({ reason }) => reason))).toEqual(new Set(["unknown"]));
    expect(Math.min(...refusals(answers).map(({ waitMs }) => waitMs))).toBe(1_000);
    await tell(passes(answers)[0] as CallPass, {});
    expect(passes(await ask(40))).toHaveLength(40);
  });

  it("and takes its time is met with more after 5 s", async () => {
    await ask(40);
    await at(5_000);
    expect(passes(await ask(40))).toHaveLength(40);
  });
});

describe("a provider that asks to wait", () => {
  it("is spared for as long as it says, by every process", async () => {
    const [first] = passes(await ask(1));
    await tell(first as CallPass, { outcome: "throttled", retryAfterMs: 20_000, problem: "429" });
    await at(19_000);
    const held = refusals(await ask(8));
    expect(held).toHaveLength(8);
    expect(held[0]).toMatchObject({ reason: "asked-to-wait", problem: "429" });
    await at(20_100);
    expect(passes(await ask(1))).toHaveLength(1);
  });

  it("without a time is spared a second, then longer, and calls throttled together count once", async () => {
    for (const pass of passes(await ask(8))) await tell(pass, { outcome: "throttled" });
    expect(refusals(await ask(1))[0]?.waitMs).toBe(1_000);
    await at(1_100);
    await tell(passes(await ask(1))[0] as CallPass, { outcome: "throttled" });
    await at(2_900);
    expect(refusals(await ask(1))).toHaveLength(1);
  });
});
