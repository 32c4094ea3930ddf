import { type FaultyPostgres, startFaultyPostgres, startTcpProxy } from "@baton/testing/faults";
import { openPostgresQueue } from "@baton/queue";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { query } from "./database.ts";

const guard = { timeout: 50_000 };
const ids = { tenantId: "t", taskId: "k", dispatchNo: 1 };

describe("a consumer on PostgreSQL whose connections fell silent", () => {
  let server: FaultyPostgres;
  beforeAll(async () => {
    server = await startFaultyPostgres();
  });
  afterAll(() => server.close());

  it("opens others, the one that listens too, and takes messages again", async () => {
    const proxy = await startTcpProxy(server.url);
    const seen: string[] = [];
    const onError = () => undefined;
    const consuming = await openPostgresQueue({ url: proxy.url, onError });
    const producing = await openPostgresQueue({ url: server.url, onError });
    const perform = async ({ stepId }: { readonly stepId: string }) => void seen.push(stepId);
    await consuming.consume({ pool: "silent", slots: 2, onError, perform });
    await producing.enqueue("silent", [{ ...ids, stepId: "before" }]);
    await vi.waitFor(() => expect(seen).toContain("before"), guard);
    const listeners = async () =>
      (
        await query(
          server.url,
          "select pid from pg_stat_activity where application_name = 'baton-silent' order by backend_start",
        )
      ).map(({ pid }) => pid);
    const [silenced] = await listeners();
    expect(proxy.silence()).toBeGreaterThan(1);
    await producing.enqueue("silent", [{ ...ids, stepId: "after" }]);
    await vi.waitFor(async () => expect((await listeners()).some((pid) => pid !== silenced)).toBe(true), guard);
    await producing.enqueue("silent", [{ ...ids, stepId: "then" }]);
    await vi.waitFor(() => expect(seen).toContain("then"), guard);
    await Promise.all([consuming.close(), producing.close()]);
    await proxy.close();
  });
});
