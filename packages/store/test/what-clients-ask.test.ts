import { BatonError, defaultTenantId } from "@baton/core";
import { taskSettings } from "@baton/core/task";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { StepsQuery } from "@baton/store";
import { type Bench, claim, completed, createTask, newId, openBench, settlementOf, step } from "./builders.ts";

let bench: Bench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench?.close());

const tenantId = defaultTenantId;

describe("tasks", () => {
  it("are listed newest first, page by page, and by state and thread", async () => {
    const { store } = bench;
    const threadId = newId();
    await store.appendMessage({ tenantId, threadId, messageId: "m1", role: "user", parts: [] });
    const created = [];
    for (let index = 0; index < 5; index++)
      created.push(await createTask(store, [step("a", newId())], index === 2 ? { threadId } : {}));
    const newest = created.map((each) => each.taskId).reverse();
    const first = await store.listTasks({ tenantId, limit: 3 });
    expect(first.map((each) => each.taskId)).toEqual(newest.slice(0, 3));
    const last = first.at(-1);
    const second = await store.listTasks({
      tenantId,
      limit: 3,
      before: { createdAt: last?.createdAt ?? 0, taskId: last?.taskId ?? "" },
    });
    expect(second.map((each) => each.taskId).slice(0, 2)).toEqual(newest.slice(3));
    expect((await store.listTasks({ tenantId, threadId, limit: 9 })).map((each) => each.taskId)).toEqual([
      created[2]?.taskId,
    ]);
    await store.cancelTask(created[0] as (typeof created)[number], {});
    expect(
      (await store.listTasks({ tenantId, states: ["cancelled"], kind: "plan", limit: 9 })).map((each) => each.taskId),
    ).toEqual([created[0]?.taskId]);
    expect((await store.listRunningTasks(tenantId, 100)).map((each) => each.taskId)).toEqual(newest.slice(0, 4));
  });

  it("account for the model calls that were made before they existed", async () => {
    const { store } = bench;
    const ref = { tenantId, taskId: newId() };
    const call = { purpose: "decide", model: { provider: "p", model: "m" }, estimated: false, durationMs: 1 };
    await store.createTask({
      ...ref,
      kind: "plan",
      goal: "g",
      input: null,
      settings: taskSettings.parse({}),
      steps: [step("a", newId())],
      traces: [
        { type: "model-called", data: { ...call, offline: false, inputTokens: 100, outputTokens: 7, costUsd: 0.25 } },
        { type: "model-called", data: { ...call, offline: false, inputTokens: 20, outputTokens: 3, costUsd: null } },
        { type: "orchestration-decided", data: { orchestrate: true, confidence: 1, reasons: ["r"], offline: false } },
      ],
    });
    expect(await store.getTask(ref)).toMatchObject({
      inputTokens: 120,
      outputTokens: 10,
      costUsd: 0.25,
      offline: false,
    });
  });

  it("that do not exist are not found by any verb", async () => {
    const { store } = bench;
    for (const taskId of [newId(), "no-uuid"]) {
      const ref = { tenantId, taskId };
      expect(await store.getTask(ref)).toBeUndefined();
      expect(await store.cancelTask(ref, {})).toBeUndefined();
      expect(await store.pauseTask(ref)).toBeUndefined();
      expect(await store.resumeTask(ref)).toBeUndefined();
      expect(await store.retryTask(ref)).toBeUndefined();
      expect(await store.whyTask(ref)).toEqual([]);
      expect(await store.listTaskSteps(ref, { limit: 5 })).toEqual([]);
      expect(await store.listTaskTraces(ref, { limit: 5 })).toEqual([]);
      expect(await store.listArtifacts(ref)).toEqual([]);
      expect(await store.listCheckpoints(ref)).toEqual([]);
      expect(await store.checkpointContext(ref, newId())).toBeUndefined();
      expect(await store.checkpointContext(ref, "no-uuid")).toBeUndefined();
      expect(await store.readTaskArtifact(ref, newId())).toBeUndefined();
      expect(await store.readTaskArtifact(ref, "no-uuid")).toBeUndefined();
    }
    await expect(store.listRunningTasks("no-uuid", 1)).rejects.toMatchObject({ code: "invalid-request" });
  });

  it("refuse what their state does not allow", async () => {
    const { store } = bench;
    const a = newId();
    const ref = await createTask(store, [step("a", a)]);
    expect(await store.resumeTask(ref)).toEqual({ answer: "unchanged", state: "pending" });
    expect(await store.retryTask(ref)).toEqual({ answer: "illegal", state: "pending" });
    expect(await store.pauseTask(ref, "me")).toMatchObject({ answer: "changed" });
    expect(await store.pauseTask(ref)).toEqual({ answer: "unchanged", state: "paused" });
    await store.resumeTask(ref, "me");
    await store.settleAttempt(settlementOf(await claim(store, ref, a), completed()));
    expect(await store.pauseTask(ref)).toEqual({ answer: "illegal", state: "completed" });
    expect(await store.resumeTask(ref)).toEqual({ answer: "illegal", state: "completed" });
  });

  it("say which pool no worker serves", async () => {
    const { store } = bench;
    const ref = await createTask(store, [step("a", newId(), [], { pool: "gpu" })]);
    expect(await store.whyTask(ref)).toMatchObject([{ on: "worker", movedBy: "a worker that serves the pool gpu" }]);
    expect(await store.poolServed("gpu")).toBe(false);
    expect(await store.poolServed("default")).toBe(true);
  });
});

describe("steps", () => {
  it("are listed with or without what they put out, and with or without the items of a map", async () => {
    const { store } = bench;
    const [map, last] = [newId(), newId()];
    const ref = await createTask(store, [step("map", map, [], { type: "map" }), step("last", last, [map])]);
    const ids = [newId(), newId()];
    const items = ids.map((id, index) =>
      step(`map[${index}]`, id, [], { item: { parentStepId: map, index, value: index } }),
    );
    await store.settleAttempt(
      settlementOf(await claim(store, ref, map), { outcome: "expanded", items, concurrency: 2 }),
    );
    for (const id of ids) await store.settleAttempt(settlementOf(await claim(store, ref, id), completed("out")));
    const listed = async (query: Omit<StepsQuery, "limit">) =>
      (await store.listTaskSteps(ref, { ...query, limit: 10 })).map(({ key, output }) => [key, output]);
    expect(await listed({})).toEqual([
      ["map", undefined],
      ["last", undefined],
      ["map[0]", "out"],
      ["map[1]", "out"],
    ]);
    expect(await listed({ withOutputs: false })).toEqual([
      ["map", undefined],
      ["last", undefined],
      ["map[0]", undefined],
      ["map[1]", undefined],
    ]);
    expect(await listed({ items: false })).toEqual([
      ["map", undefined],
      ["last", undefined],
    ]);
    const sizes = await store.listTaskSteps(ref, { afterPosition: 2, withOutputs: false, limit: 1 });
    expect(sizes).toMatchObject([{ key: "map[1]", outputSizeBytes: 5 }]);
  });
});

describe("an idempotency key", () => {
  const ref = (key: string) => ({ tenantId, route: "POST /api/v1/tasks", key });
  const answer = { status: 202, headers: { location: "/x" }, body: "{}" };

  it("lets the first request through, holds the others back, and replays its answer", async () => {
    const { store } = bench;
    const starts = await Promise.all(Array.from({ length: 8 }, () => store.startIdempotent(ref("k1"), "hash")));
    expect(starts.filter((each) => each.start === "first")).toHaveLength(1);
    expect(starts.filter((each) => each.start === "in-flight")).toHaveLength(7);
    await store.finishIdempotent(ref("k1"), answer);
    expect(await store.startIdempotent(ref("k1"), "hash")).toEqual({ start: "replay", answer });
    expect(await store.startIdempotent(ref("k1"), "other")).toEqual({ start: "reused" });
  });

  it("is free again when its request failed before it wrote anything", async () => {
    const { store } = bench;
    await store.startIdempotent(ref("k2"), "hash");
    await store.dropIdempotent(ref("k2"));
    expect(await store.startIdempotent(ref("k2"), "other")).toEqual({ start: "first" });
  });

  it("answers from the task when the api died between the task and the answer", async () => {
    const { store } = bench;
    await store.startIdempotent(ref("k3"), "hash");
    const taskId = newId();
    await store.createTask({
      tenantId,
      taskId,
      kind: "plan",
      goal: "g",
      input: null,
      settings: (await import("@baton/core/task")).taskSettings.parse({}),
      steps: [step("a", newId())],
      traces: [],
      idempotency: ref("k3"),
    });
    await store.dropIdempotent(ref("k3"));
    expect(await store.startIdempotent(ref("k3"), "hash")).toEqual({ start: "created", taskId });
  });

  it("of a process that died is free when its session is, and the request that held it creates nothing any more", async () => {
    const { store } = bench;
    const other = await bench.open();
    const held = { ...ref("k5"), holder: newId() };
    const retaken = { ...ref("k5"), holder: newId() };
    const create = (idempotency: typeof held) => {
      const steps = [step("a", newId())];
      const settings = taskSettings.parse({});
      const task = {
        tenantId,
        taskId: newId(),
        kind: "plan",
        goal: "g",
        input: null,
        traces: [],
        steps,
        settings,
        idempotency,
      } as const;
      return store.createTask(task).then(() => task.taskId);
    };
    expect(await other.store.startIdempotent(held, "hash")).toEqual({ start: "first" });
    expect(await store.startIdempotent(retaken, "hash")).toEqual({ start: "in-flight" });
    await bench.admin.query(
      "update baton.worker_session set expires_at = now() - interval '1 second' where session_id = $1",
      [other.session.sessionId],
    );
    expect(await store.startIdempotent(retaken, "hash")).toEqual({ start: "first" });
    await expect(create(held)).rejects.toMatchObject({ code: "idempotency-key-in-flight" });
    await store.dropIdempotent(held);
    const taskId = await create(retaken);
    await expect(create(held)).rejects.toMatchObject({ code: "idempotency-key-in-flight" });
    expect(await store.startIdempotent({ ...ref("k5"), holder: newId() }, "hash")).toEqual({
      start: "created",
      taskId,
    });
  });

  it("is forgotten after 24 hours, and a minute after a request that wrote nothing", async () => {
    const { store, admin } = bench;
    await store.startIdempotent(ref("k4"), "hash");
    await admin.query(
      "update baton.idempotency_key set created_at = created_at - interval '61 seconds' where key = 'k4'",
    );
    expect(await store.startIdempotent(ref("k4"), "hash")).toEqual({ start: "first" });
    await store.finishIdempotent(ref("k4"), answer);
    await admin.query(
      "update baton.idempotency_key set created_at = created_at - interval '25 hours' where key = 'k4'",
    );
    expect(await store.startIdempotent(ref("k4"), "other")).toEqual({ start: "first" });
  });
});

describe("threads", () => {
  it("keep their messages in order and each message id once", async () => {
    const { store } = bench;
    const threadId = newId();
    const say = (messageId: string, role: "user" | "assistant", text: string) =>
      store.appendMessage({
        tenantId,
        threadId,
        messageId,
        role,
        parts: [{ type: "text", text }],
        decision: { orchestrate: false },
      });
    await say("1", "user", "hello");
    await say("1", "user", "hello");
    await Promise.all(Array.from({ length: 10 }, (_, index) => say(`m${index}`, "user", `${index}`)));
    const messages = await store.listMessages(tenantId, threadId, 100);
    expect(messages).toHaveLength(11);
    expect(messages[0]).toMatchObject({ messageId: "1", parts: [{ type: "text", text: "hello" }] });
    expect(await store.listMessages(tenantId, threadId, 2)).toEqual(messages.slice(-2));
    expect((await store.threadMessages({ tenantId, taskId: newId() }, threadId))[0]).toEqual({
      role: "user",
      text: "hello",
    });
  });

  it("receive a reply in the transaction that completes it", async () => {
    const { store } = bench;
    const [threadId, a] = [newId(), newId()];
    await store.appendMessage({
      tenantId,
      threadId,
      messageId: "q",
      role: "user",
      parts: [{ type: "text", text: "what time is it?" }],
    });
    const ref = await createTask(store, [step("reply", a, [], { kind: "reply", type: "reply" })], {
      kind: "reply",
      threadId,
    });
    await store.settleAttempt(settlementOf(await claim(store, ref, a), completed({ text: "noon" })));
    const messages = await store.listMessages(tenantId, threadId, 9);
    expect(messages.at(-1)).toMatchObject({
      role: "assistant",
      taskId: ref.taskId,
      parts: [{ type: "text", text: "noon" }],
    });
  });
});

describe("artifacts", () => {
  it("are kept once per content and name, listed, and read back byte by byte", async () => {
    const { store } = bench;
    const a = newId();
    const ref = await createTask(store, [step("a", a)]);
    const claimed = await claim(store, ref, a);
    const content = new Uint8Array([0, 255, 10, 13]);
    const draft = { name: "out.bin", mediaType: "application/octet-stream", content };
    const saved = await store.saveArtifact(claimed.ref, draft);
    expect(await store.saveArtifact(claimed.ref, draft)).toEqual(saved);
    expect(saved).toMatchObject({ name: "out.bin", sizeBytes: 4 });
    expect(await store.listArtifacts(ref)).toMatchObject([{ artifactId: saved.artifactId, stepId: a }]);
    expect((await store.readTaskArtifact(ref, saved.artifactId))?.content).toEqual(content);
    expect((await store.readArtifact(ref, saved.artifactId))?.ref.name).toBe("out.bin");
    await expect(
      store.saveArtifact(claimed.ref, { ...draft, content: new Uint8Array(33_554_433) }),
    ).rejects.toMatchObject({ code: "payload-too-large" });
  });
});

describe("api keys", () => {
  it("are found by hash until they are revoked", async () => {
    const { store } = bench;
    const hash = "a".repeat(64);
    const keyId = newId();
    await store.createApiKey({ tenantId, keyId, name: "ci", hash, scopes: ["read"] });
    await store.createApiKey({ tenantId, keyId: newId(), name: "again", hash, scopes: ["admin"] });
    expect(await store.findApiKey(hash)).toMatchObject({ keyId, name: "ci", scopes: ["read"] });
    expect(await store.listApiKeys(tenantId)).toHaveLength(1);
    expect(await store.revokeApiKey(tenantId, "no-uuid")).toBe(false);
    expect(await store.revokeApiKey(tenantId, keyId)).toBe(true);
    expect(await store.revokeApiKey(tenantId, keyId)).toBe(false);
    expect(await store.findApiKey(hash)).toBeUndefined();
  });
});

describe("the secret of the installation", () => {
  it("is made once, whoever asks first, and is the same for every process", async () => {
    const stores = [bench.store, (await bench.open()).store, (await bench.open()).store];
    const candidates = stores.map((_, index) => new Uint8Array(32).fill(index + 1));
    const kept = await Promise.all(
      stores.map((store, index) => store.installationSecret(candidates[index] as Uint8Array)),
    );
    expect(candidates).toContainEqual(kept[0]);
    expect(new Set(kept.map((secret) => secret.join()))).toHaveLength(1);
    expect(await bench.store.installationSecret(new Uint8Array(32))).toEqual(kept[0]);
    await expect(
      bench.admin.query("insert into baton.installation (is_only, secret) values (false, '')"),
    ).rejects.toThrow("installation_is_one_row");
  });
});

describe("the effect ledger", () => {
  const intent = (
    claimed: { ref: { tenantId: string; taskId: string; stepId: string }; attemptNo: number },
    effect: "write" | "idempotent",
    args = "{}",
  ) => ({
    ref: claimed.ref,
    attemptNo: claimed.attemptNo,
    callNo: 1,
    tool: "pay",
    effect,
    argumentsJson: args,
  });
  const again = async (effect: "write" | "idempotent", finish?: "succeeded" | "refused" | "unknown", args?: string) => {
    const { store } = bench;
    const a = newId();
    const ref = await createTask(store, [step("a", a)]);
    const first = await claim(store, ref, a);
    expect(await store.startEffect(intent(first, effect))).toEqual({
      start: "call",
      idempotencyKey: `${a}-1`,
      earlierUnknown: false,
    });
    if (finish !== undefined)
      expect(
        await store.finishEffect(first.ref, { callNo: 1, attemptNo: 1, state: finish, resultJson: '{"paid":1}' }),
      ).toEqual({
        late: false,
      });
    await store.settleAttempt(settlementOf(first, { outcome: "released", reason: "test" }));
    const second = await claim(store, ref, a);
    expect(await store.startEffect(intent(first, effect))).toEqual({ start: "lease-lost" });
    return { first, second, start: await store.startEffect(intent(second, effect, args)) };
  };

  it("replays what succeeded, runs again what was refused", async () => {
    expect((await again("write", "succeeded")).start).toEqual({ start: "replay", resultJson: '{"paid":1}' });
    expect((await again("write", "refused")).start).toMatchObject({ start: "call", earlierUnknown: false });
  });

  it("never repeats a write whose outcome is unknown, and repeats an idempotent call under the same key", async () => {
    expect((await again("write")).start).toEqual({ start: "unknown" });
    expect((await again("write", "unknown")).start).toEqual({ start: "unknown" });
    expect((await again("idempotent")).start).toMatchObject({ start: "call", earlierUnknown: true });
  });

  it("refuses other arguments under the same key", async () => {
    expect((await again("idempotent", undefined, '{"other":1}')).start).toEqual({ start: "mismatch" });
  });

  it("accepts a late result once, whoever holds the lease", async () => {
    const { store } = bench;
    const { first } = await again("write");
    expect(
      await store.finishEffect(first.ref, { callNo: 1, attemptNo: 1, state: "succeeded", resultJson: "1" }),
    ).toEqual({
      late: true,
    });
    expect(
      await store.finishEffect(first.ref, { callNo: 1, attemptNo: 1, state: "succeeded", resultJson: "2" }),
    ).toEqual({
      late: true,
    });
    const { rows } = await bench.admin.query("select result from baton.effect where step_id = $1", [first.ref.stepId]);
    expect(rows).toEqual([{ result: 1 }]);
  });
});

describe("a checkpoint step", () => {
  it("saves under its own attempt only", async () => {
    const { store } = bench;
    const a = newId();
    const ref = await createTask(store, [step("a", a)]);
    const claimed = await claim(store, ref, a);
    expect(await store.saveCheckpoint(claimed.ref, claimed.attemptNo + 1)).toBe("lease-lost");
    expect(await store.saveCheckpoint(claimed.ref, claimed.attemptNo)).toMatchObject({ stepCount: 0 });
    expect(await store.listCheckpoints(ref)).toHaveLength(1);
  });
});

describe("upkeep", () => {
  it("deletes finished tasks by age with everything that hangs on them, and nothing else", async () => {
    const { store, admin } = bench;
    const [a, b] = [newId(), newId()];
    const [old, young] = [await createTask(store, [step("a", a)]), await createTask(store, [step("b", b)])];
    for (const [ref, id] of [
      [old, a],
      [young, b],
    ] as const)
      await store.settleAttempt(settlementOf(await claim(store, ref, id), completed()));
    await admin.query(
      "update baton.task_execution set finished_at = finished_at - interval '31 days' where task_id = $1",
      [old.taskId],
    );
    const day = 86_400_000;
    expect(
      await store.prune({ finishedTasksMs: 30 * day, idempotencyMs: day, sessionsMs: day, liveMs: 600_000 }),
    ).toEqual({ tasks: 1 });
    expect(await store.getTask(old)).toBeUndefined();
    expect(await store.getTask(young)).toBeDefined();
    const { rows } = await admin.query("select from baton.task_execution_trace where task_id = $1", [old.taskId]);
    expect(rows).toEqual([]);
  });

  it("counts what is ready and running per pool", async () => {
    const { store } = bench;
    await createTask(store, [step("a", newId(), [], { pool: "counted" })]);
    expect((await store.backlog()).find((each) => each.pool === "counted")).toMatchObject({ ready: 1, running: 0 });
  });
});

describe("the shared limiter", () => {
  it("lets at most max pass in any span, in the order of the callers, and gives way to an abort", async () => {
    const { store } = bench;
    const limit = { max: 3, durationMs: 400 };
    const passed: number[] = [];
    const signal = new AbortController().signal;
    await Promise.all(
      Array.from({ length: 7 }, async (_, index) => {
        await store.limiter.acquire("model", limit, signal);
        passed[index] = performance.now();
      }),
    );
    for (let index = 3; index < 7; index++) {
      // 20 ms: the reply travels after the database looked at its clock.
      expect((passed[index] as number) - (passed[index - 3] as number)).toBeGreaterThan(limit.durationMs - 20);
    }
    const aborted = new AbortController();
    const waiting = store.limiter.acquire("model", { max: 1, durationMs: 60_000 }, aborted.signal);
    aborted.abort(new BatonError("cancelled", "enough"));
    await expect(waiting).rejects.toMatchObject({ code: "cancelled" });
  });
});

describe("stops", () => {
  it("reach every worker that listens, and come again with the beat for those that missed them", async () => {
    const other = await bench.open({ leaseMs: 3_000 });
    const a = newId();
    const heard: string[] = [];
    const ref = await createTask(bench.store, [step("a", a)]);
    await claim(other.store, ref, a);
    const twice = new Promise<void>((resolve) => {
      void other.store
        .listenStops(({ taskId, reason }) => {
          if (taskId === ref.taskId) heard.push(reason);
          if (heard.length >= 2) resolve();
        })
        .then(() => bench.store.pauseTask(ref));
    });
    await twice;
    expect(new Set(heard)).toEqual(new Set(["pause"]));
  });
});
