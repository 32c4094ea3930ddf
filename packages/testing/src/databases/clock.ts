/**
 * The clock of a test's own database: `baton.clock()`, the one source of time in SQL, moved and sped up.
 *
 * 1. Every connection sees it from its next statement on; nothing in the code under test knows of it.
 * 2. Only what SQL times moves. Timers and leases that a process counts by itself go on in real time.
 */
import pg from "pg";

export interface DatabaseClock {
  /** Added to the real time; negative goes back. */
  readonly offsetMs?: number;
  /** How fast time passes from now on; 1 is real. */
  readonly scale?: number;
}

export async function setDatabaseClock(adminUrl: string, { offsetMs = 0, scale = 1 }: DatabaseClock): Promise<void> {
  if (!Number.isFinite(offsetMs)) throw new RangeError(`offsetMs is ${offsetMs}; it must be a number of milliseconds.`);
  if (!(Number.isFinite(scale) && scale >= 0)) throw new RangeError(`scale is ${scale}; it must be 0 or more.`);
  // The moment from which it runs faster is the server's own: the test's clock may differ.
  await replaceClock(adminUrl, async (client) => {
    const { rows } = await client.query<{ now: string }>("select clock_timestamp()::text as now");
    const from = `timestamptz '${rows[0]?.now}'`;
    return `${from} + interval '${offsetMs} milliseconds' + (clock_timestamp() - ${from}) * ${scale}::float8`;
  });
}

export function resetDatabaseClock(adminUrl: string): Promise<void> {
  return replaceClock(adminUrl, () => Promise.resolve("clock_timestamp()"));
}

async function replaceClock(adminUrl: string, expression: (client: pg.Client) => Promise<string>): Promise<void> {
  const client = new pg.Client({ connectionString: adminUrl });
  await client.connect();
  try {
    await client.query(
      `create or replace function baton.clock() returns timestamptz
       language sql volatile parallel safe as $$ select ${await expression(client)} $$`,
    );
  } finally {
    await client.end();
  }
}
