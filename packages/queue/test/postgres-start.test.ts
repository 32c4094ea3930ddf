import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { startFaultyPostgres } from "@baton/testing/faults";
import type { StoppableServer } from "@baton/testing/conformance";
import { openPostgresQueue, queueBoardQueues } from "@baton/queue";
import { query } from "./database.ts";

const onError = () => undefined;
const ids = { tenantId: "t", taskId: "k" };

describe("the queue on PostgreSQL", () => {
  let server: StoppableServer;
  beforeAll(async () => {
    server = await startFaultyPostgres();
  });
  afterAll(() => server.close());

  it("migrates once when ten processes start at the same time", async () => {
    const ports = await Promise.all(
      Array.from({ length: 10 }, () => openPostgresQueue({ url: server.url, schema: "started_at_once", onError })),
    );
    await Promise.all(ports.map((port) => port.close()));
    const rows = await query(server.url, "select version from started_at_once.migration");
    expect(rows.length).toBeGreaterThan(0);
    expect(new Set(rows.map(({ version }) => version)).size).toBe(rows.length);
  });

  it("keeps to its number of connections under load", async () => {
    const port = await openPostgresQueue({ url: server.url, onError, producerConnections: 2, consumerConnections: 3 });
    let done = 0;
    const count = async () => {
      done += 1;
    };
    await port.consume({ pool: "counted", slots: 20, onError, perform: count });
    let most = 0;
    for (let round = 0; round < 10; round++) {
      await Promise.all(
        Array.from({ length: 10 }, (_, index) =>
          port.enqueue("counted", [{ ...ids, stepId: `s${round}-${index}`, dispatchNo: 1 }]),
        ),
      );
      const [row] = await query(
        server.url,
        "select count(*)::int as open from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()",
      );
      most = Math.max(most, Number(row?.["open"]));
    }
    await vi.waitFor(() => expect(done).toBe(100), { timeout: 30_000 });
    expect(most).toBeLessThanOrEqual(2 + 3 + 1);
    await port.close();
  });

  it("keeps options of the URL beside its own search path", async () => {
    const url = `${server.url}?options=${encodeURIComponent("-c statement_timeout=12345")}`;
    const port = await openPostgresQueue({ url, onError });
    await port.enqueue("options", [{ ...ids, stepId: "s", dispatchNo: 1 }]);
    expect(await port.depth("options")).toEqual({ waiting: 1, active: 0 });
    await port.close();
  });

  it("hands the board one queue object per pool, and refuses a port that is not its own", async () => {
    const port = await openPostgresQueue({ url: server.url, onError });
    await port.enqueue("board", [{ ...ids, stepId: "s", dispatchNo: 1 }]);
    const [queue] = queueBoardQueues(port, ["board", "other"]) as { name: string; getJobs(): Promise<unknown[]> }[];
    expect(queue?.name).toBe("baton-board");
    expect(await queue?.getJobs()).toHaveLength(1);
    expect(() => queueBoardQueues({ ...port } as typeof port, ["board"])).toThrow("openRedisQueue");
    await port.close();
  });

  it("says that the server does not answer", async () => {
    const url = "postgres://nobody@127.0.0.1:1/none";
    await expect(openPostgresQueue({ url, onError })).rejects.toMatchObject({ code: "queue-unavailable" });
  });
});
