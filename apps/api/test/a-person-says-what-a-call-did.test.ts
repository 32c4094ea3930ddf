import { problem } from "@baton/contracts";
import type { ClaimedStep } from "@baton/core/ports";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { claim, settle, wakeUpOf } from "./claims.ts";
import { createInstallation, newId } from "./installation.ts";
import type { Installation } from "./installation.ts";

let at: Installation;
beforeAll(async () => {
  at = await createInstallation(inject("postgresUrl"));
  await at.store.openSession({
    pools: ["default", "interactive"],
    slots: 10,
    tools: [],
    version: "test",
    role: "worker",
    beatMs: 1_000,
    leaseMs: 30_000,
  });
});
afterAll(() => at?.close());

const pay = { id: "pay", type: "tool", tool: "clock.now" } as const;
const error = { code: "effect-unknown", message: "nobody knows", causes: [] };

/** Begins a call of the task's step, as a worker does. */
async function begin(taskId: string, args = '{"amount":3}') {
  const step = await claim(at, taskId);
  const { ref, attemptNo } = step;
  const call = { ref, attemptNo, callNo: 1, tool: "till.charge", effect: "irreversible", argumentsJson: args } as const;
  return { step, start: await at.store.startEffect(call) };
}

/** A task whose one call is in doubt, and a person is asked. */
async function inDoubt() {
  const { id: taskId } = await at.client.createTask({ plan: { steps: [pay] } });
  const { step } = await begin(taskId);
  await settle(at, step, { outcome: "held", error });
  return { taskId, stepId: step.ref.stepId, callNo: 1 };
}

const pathOf = ({ taskId, stepId, callNo }: { taskId: string; stepId: string; callNo: number }) =>
  `/api/v1/tasks/${taskId}/steps/${stepId}/effects/${callNo}/resolve`;
const happened = { outcome: "succeeded", result: { receipt: 7 }, attemptNo: 1, reason: "seen" } as const;
const notDone = { outcome: "not-done", attemptNo: 1, reason: "not in the ledger" } as const;

async function refused(path: string, body: unknown, key?: string) {
  const before = await at.database.rowCounts();
  const answer = await at.call("POST", path, { body, ...(key !== undefined && { key }) });
  const { code, detail, errors } = problem.parse(await answer.json());
  expect(await at.database.rowCounts()).toEqual(before);
  return { status: answer.status, code, detail, at: errors.map(({ pointer }) => pointer) };
}

describe("a call in doubt", () => {
  it("that took place is replayed with the result that the person gave, whatever arguments come next", async () => {
    for (const args of ['{"amount":3}', '{"amount":4}']) {
      const call = await inDoubt();
      expect(await at.client.resolveEffect(call, happened)).toMatchObject({ changed: true, stepState: "ready" });
      expect((await begin(call.taskId, args)).start).toEqual({ start: "replay", resultJson: '{"receipt":7}' });
    }
  });

  it("that did not take place is made again under the same key, also with other arguments", async () => {
    for (const args of ['{"amount":3}', '{"amount":4}']) {
      const call = await inDoubt();
      expect(await at.client.resolveEffect(call, notDone)).toMatchObject({ changed: true, state: "refused" });
      const { start } = await begin(call.taskId, args);
      expect(start).toEqual({ start: "call", idempotencyKey: `${call.stepId}-1`, earlierUnknown: false });
    }
  });

  it("is told by its task, with who said what of it and why", async () => {
    const call = await inDoubt();
    await at.client.resolveEffect(call, notDone);
    const told = [];
    for await (const { type, data } of at.client.traces(call.taskId)) if (type === "effect-resolved") told.push(data);
    expect(told).toMatchObject([{ callNo: 1, outcome: "not-done", reason: notDone.reason, by: expect.any(String) }]);
  });

  it("takes the same word twice, and no second one", async () => {
    const call = await inDoubt();
    await at.client.resolveEffect(call, happened);
    expect(await at.client.resolveEffect(call, happened)).toMatchObject({ changed: false });
    for (const body of [notDone, { ...happened, result: 8 }]) {
      expect(await refused(pathOf(call), body)).toMatchObject({ status: 409, code: "illegal-transition" });
    }
  });

  it("takes a word only about the attempt that made it", async () => {
    const call = await inDoubt();
    await at.client.resolveEffect(call, notDone);
    const { step } = await begin(call.taskId);
    await settle(at, step, { outcome: "held", error });
    const answer = await refused(pathOf(call), notDone);
    expect(answer).toMatchObject({ status: 409, detail: expect.stringContaining("attempt 2 has made the call since") });
    expect(await at.client.resolveEffect(call, { ...notDone, attemptNo: 2 })).toMatchObject({ changed: true });
  });

  it("takes none while an attempt runs", async () => {
    const { id: taskId } = await at.client.createTask({ plan: { steps: [pay] } });
    const { step } = await begin(taskId);
    const answer = await refused(pathOf({ taskId, stepId: step.ref.stepId, callNo: 1 }), happened);
    expect(answer).toMatchObject({ status: 409, detail: expect.stringContaining("is running") });
  });

  it("of a cancelled task can be told of, and moves nothing", async () => {
    const call = await inDoubt();
    await at.client.cancelTask(call.taskId);
    expect(await at.client.resolveEffect(call, happened)).toMatchObject({
      changed: true,
      stepState: "cancelled",
      taskState: "cancelled",
    });
  });

  it("that is told wrongly is refused, naming the field, and nothing is written", async () => {
    const call = await inDoubt();
    for (const [body, pointer] of [
      [{ ...happened, outcome: "perhaps" }, "/outcome"],
      [{ ...notDone, result: 1 }, "/result"],
      [{ outcome: "succeeded", attemptNo: 1, reason: "r" }, "/result"],
      [{ ...notDone, attemptNo: 0 }, "/attemptNo"],
      [{ ...notDone, attemptNo: undefined }, "/attemptNo"],
      [{ ...notDone, reason: "" }, "/reason"],
    ] as const) {
      expect(await refused(pathOf(call), body)).toMatchObject({ code: "invalid-request", at: [pointer] });
    }
  });

  it("of another tenant, or that is not there, does not exist", async () => {
    const call = await inDoubt();
    const tenantId = newId();
    await at.database.execute(`insert into baton.tenant (tenant_id, name) values ('${tenantId}', 'another')`);
    const key = await at.addKey(["read", "write"], tenantId);
    const asked = (path: string, as?: string) => refused(path, notDone, as);
    expect(await asked(pathOf(call), key)).toMatchObject({ status: 404 });
    for (const callNo of [0, 2]) expect(await asked(pathOf({ ...call, callNo }))).toMatchObject({ status: 404 });
    expect(await asked(pathOf({ ...call, stepId: newId() }))).toMatchObject({ status: 404 });
    const list = await at.call("GET", `/api/v1/tasks/${call.taskId}/effects`, { key });
    expect(list.status).toBe(404);
  });
});

describe("the calls of a task", () => {
  it("are listed page by page, in the order of the steps, and by state", async () => {
    const steps = ["a", "b", "c"].map((id) => ({ ...pay, id }));
    const { id: taskId } = await at.client.createTask({ plan: { steps } });
    await wakeUpOf(at, taskId);
    const wakeUps = at.wakeUps.filter((wakeUp) => wakeUp.taskId === taskId);
    const claimed = (await Promise.all(wakeUps.map((wakeUp) => at.store.claimStep(wakeUp)))) as ClaimedStep[];
    for (const { ref, attemptNo, key } of claimed.toReversed()) {
      const call = { ref, attemptNo, callNo: 1, tool: key, effect: "read", argumentsJson: "null" } as const;
      await at.store.startEffect(call);
      if (key !== "b") continue;
      const result = { callNo: 1, attemptNo, state: "succeeded", resultJson: "null" } as const;
      await at.store.finishEffect(ref, result);
    }
    const pages = [];
    for (let cursor: string | undefined; ; ) {
      const query = { limit: 2, cursor };
      const page = await at.client.request("listEffects", { params: { id: taskId }, query });
      pages.push(page.effects.map(({ stepKey }) => stepKey));
      if (page.nextCursor === null) break;
      cursor = page.nextCursor;
    }
    expect(pages).toEqual([["a", "b"], ["c"]]);
    const known = [];
    for await (const effect of at.client.effects(taskId, { state: "succeeded" })) known.push(effect);
    expect(known).toMatchObject([{ stepKey: "b", result: null, arguments: null, inDoubt: false, resolved: false }]);
  });
});
