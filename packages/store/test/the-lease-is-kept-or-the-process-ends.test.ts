import { createTestDatabase, type TestDatabase } from "@baton/testing/databases";
import fc from "fast-check";
import pg from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from "vitest";
import { createBeatConnection } from "../src/sessions/beat-connection.ts";
import { type BeatAnswer, createLease, type FromBeat, type Lease } from "../src/sessions/lease.ts";
import { newId } from "./builders.ts";
import { startTcpProxy } from "@baton/testing/faults";

const alive: BeatAnswer = { alive: true, stop: [] };

/** A lease whose clocks are numbers and whose beats are answered by hand. */
function leaseByHand(leaseMs = 10_000) {
  const told: FromBeat[] = [];
  const clock = { monotonic: 50_000, unix: 1_800_000_000_000 };
  let killCount = 0;
  let givenUpCount = 0;
  let answer: () => Promise<BeatAnswer> = () => Promise.resolve(alive);
  const lease: Lease = createLease({
    leaseMs,
    grantedAt: clock.monotonic,
    beat: () => answer(),
    monotonicMs: () => clock.monotonic,
    unixMs: () => clock.unix,
    tell: (message) => told.push(message),
    kill: () => {
      killCount += 1;
    },
    giveUp: () => {
      givenUpCount += 1;
    },
  });
  return {
    lease,
    told,
    clock,
    killed: () => killCount > 0,
    givenUp: () => givenUpCount,
    answers: (next: () => Promise<BeatAnswer>) => {
      answer = next;
    },
    /** Time passes, and the thread looks at it five times a second. */
    pass: (ms: number) => {
      for (let left = ms; left > 0; left -= 200) {
        clock.monotonic += Math.min(left, 200);
        clock.unix += Math.min(left, 200);
        lease.fence();
      }
    },
  };
}

describe("a lease", () => {
  it("is given up at nine tenths of its length when no beat is answered, and is told lost once", async () => {
    const { lease, told, pass, answers, killed } = leaseByHand();
    answers(() => Promise.reject(new Error("no answer")));
    pass(9_000);
    await lease.renew();
    expect(told).toEqual([{ failed: "no answer" }]);
    pass(200);
    expect(told.slice(1)).toEqual([{ lost: "The lease could not be renewed in time." }]);
    expect(lease.isLost).toBe(true);
    lease.hear({ acknowledged: true });
    pass(60_000);
    expect(told).toHaveLength(2);
    expect(killed()).toBe(false);
  });

  it("runs from when its beat was sent, however late the reply comes", async () => {
    const { lease, pass, answers } = leaseByHand();
    let reply: (answer: BeatAnswer) => void = () => undefined;
    answers(() => new Promise((resolve) => (reply = resolve)));
    const renewing = lease.renew();
    pass(8_000);
    reply(alive);
    await renewing;
    pass(1_000);
    expect(lease.isLost).toBe(false);
    pass(200);
    expect(lease.isLost).toBe(true);
  });

  it("is never held longer than nine tenths past the newest beat that was answered, whatever the replies do", async () => {
    const beats = fc.array(
      fc.record({
        wait: fc.integer({ min: 0, max: 6_000 }),
        delay: fc.integer({ min: 0, max: 12_000 }),
        isAnswered: fc.boolean(),
      }),
      { maxLength: 12 },
    );
    await fc.assert(
      fc.asyncProperty(beats, async (planned) => {
        const { lease, clock, pass, answers } = leaseByHand();
        let renewedAt = clock.monotonic;
        for (const { wait, delay, isAnswered } of planned) {
          pass(wait);
          const wasLost = lease.isLost;
          const sentAt = clock.monotonic;
          answers(() => {
            pass(delay);
            return isAnswered ? Promise.resolve(alive) : Promise.reject(new Error("no answer"));
          });
          await lease.renew();
          const isOver = clock.monotonic - renewedAt > 9_000;
          // Looked at every 200 ms, and once lost it stays lost.
          expect(lease.isLost).toBe(wasLost || isOver);
          if (isAnswered) renewedAt = sentAt;
          if (lease.isLost) return;
        }
      }),
      { numRuns: 200 },
    );
  });

  it("is lost at once when another process ended the session", async () => {
    const { lease, told, answers } = leaseByHand();
    answers(() => Promise.resolve({ alive: false, stop: [] }));
    await lease.renew();
    expect(told).toEqual([{ lost: "The session was ended by another process: its lease ran out." }]);
  });

  it("hands over what must stop", async () => {
    const { lease, told, answers } = leaseByHand();
    const stop = [{ taskId: newId(), reason: "pause" as const }];
    answers(() => Promise.resolve({ alive: true, stop }));
    await lease.renew();
    expect(told).toEqual([{ stop }]);
  });
});

describe("the process", () => {
  it("ends 2 s after a loss that nobody acknowledged", async () => {
    const { lease, pass, answers, killed } = leaseByHand();
    answers(() => Promise.resolve({ alive: false, stop: [] }));
    await lease.renew();
    pass(2_000);
    expect(killed()).toBe(false);
    pass(200);
    expect(killed()).toBe(true);
  });

  it("gives up what it has when an attempt is 5 s past its deadline and the main thread has been silent for 2 s, by neither alone", async () => {
    const overdue = leaseByHand(1_000_000);
    const say = (): void => overdue.lease.hear({ alive: true, earliestDeadline: deadline });
    const deadline = overdue.clock.unix + 1_000;
    // It speaks, so it can abort the attempt itself.
    for (let spoken = 0; spoken < 20; spoken++) {
      say();
      overdue.pass(1_000);
    }
    expect(overdue.givenUp()).toBe(0);
    say();
    overdue.pass(2_000);
    expect(overdue.givenUp()).toBe(0);
    overdue.pass(200);
    expect(overdue.givenUp()).toBe(1);
    overdue.pass(5_000);
    expect(overdue.givenUp()).toBe(1);

    const busy = leaseByHand(1_000_000);
    busy.lease.hear({ alive: true, earliestDeadline: busy.clock.unix + 60_000 });
    busy.pass(65_000);
    expect(busy.givenUp()).toBe(0);
    busy.pass(200);
    expect(busy.givenUp()).toBe(1);

    const idle = leaseByHand(1_000_000);
    idle.lease.hear({ alive: true, earliestDeadline: undefined });
    idle.pass(500_000);
    expect(idle.givenUp()).toBe(0);
    expect(overdue.killed() || busy.killed() || idle.killed()).toBe(false);
  });

  it("hears its main thread first when it was stopped as a whole and goes on", async () => {
    const { lease, clock, pass, givenUp } = leaseByHand(1_000_000);
    lease.hear({ alive: true, earliestDeadline: clock.unix + 1_000 });
    pass(400);
    clock.monotonic += 20_000;
    clock.unix += 20_000;
    lease.fence();
    expect(givenUp()).toBe(0);
    lease.hear({ alive: true, earliestDeadline: undefined });
    pass(60_000);
    expect(givenUp()).toBe(0);
  });
});

describe("the connection of the beats", () => {
  let database: TestDatabase;
  let admin: pg.Client;
  let sessionId: string;
  beforeAll(async () => {
    database = await createTestDatabase(inject("postgresUrl"));
    admin = new pg.Client({ connectionString: database.adminUrl });
    await admin.connect();
  });
  afterAll(async () => {
    await admin?.end();
    await database?.drop();
  });
  beforeEach(async () => {
    sessionId = newId();
    await admin.query(
      `insert into baton.worker_session (tenant_id, session_id, role, worker, host, pid, version, pools, tools, slots, started_at, beat_at, expires_at)
       select tenant_id, $1, 'worker', 'test', 'test', 1, 'test', '{default}', '{}', 1, now(), now(), now() + interval '10 s' from baton.tenant limit 1`,
      [sessionId],
    );
  });
  const leftMs = async (): Promise<number> => {
    const { rows } = await admin.query<{ left: number }>(
      "select (extract(epoch from expires_at - baton.clock()) * 1000)::float8 as left from baton.worker_session where session_id = $1",
      [sessionId],
    );
    return rows[0]?.left ?? 0;
  };

  it("renews the row for the length of a lease, and says so when the session was ended", async () => {
    const connection = createBeatConnection({ url: database.url, sessionId, beatMs: 5_000, leaseMs: 100_000 });
    expect(await connection.beat()).toEqual(alive);
    expect(await leftMs()).toBeGreaterThan(50_000);
    expect(await connection.beat()).toEqual(alive);
    await admin.query(
      "update baton.worker_session set ended_at = now(), end_reason = 'expired' where session_id = $1",
      [sessionId],
    );
    expect(await connection.beat()).toMatchObject({ alive: false });
    connection.close();
    connection.close();
  });

  it("does not renew a lease that ran out, though nobody has reaped it yet", async () => {
    await admin.query("update baton.worker_session set expires_at = now() where session_id = $1", [sessionId]);
    const connection = createBeatConnection({ url: database.url, sessionId, beatMs: 5_000, leaseMs: 100_000 });
    expect(await connection.beat()).toMatchObject({ alive: false });
    connection.close();
  });

  it("comes back after it was cut, refused, or went silent, and leaves no connection behind", async () => {
    const proxy = await startTcpProxy(database.url);
    const connection = createBeatConnection({ url: proxy.url, sessionId, beatMs: 1_000, leaseMs: 100_000 });
    expect(await connection.beat()).toEqual(alive);
    const restored = () =>
      expect.poll(() => connection.beat().catch(() => undefined), { timeout: 30_000 }).toEqual(alive);
    proxy.refuse();
    await expect(connection.beat()).rejects.toThrow();
    await expect(connection.beat()).rejects.toThrow();
    proxy.admit();
    await restored();
    proxy.silence();
    await expect(connection.beat()).rejects.toThrow(/timeout/i);
    await restored();
    await expect.poll(() => proxy.openCount).toBe(1);
    connection.close();
    await expect.poll(() => proxy.openCount).toBe(0);
    await proxy.close();
  });
});
