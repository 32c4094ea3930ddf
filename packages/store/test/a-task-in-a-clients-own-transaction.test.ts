/** `createTask(body, { tx })`: the task commits or rolls back with the caller's rows, whoever the caller is. */
import { createHash } from "node:crypto";
import { type BatonClientError, createClient, type Transaction } from "@baton/client";
import { defaultTenantId } from "@baton/core";
import pg from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Bench, newId, openBench } from "./builders.ts";

const otherTenant = newId();
const keys = { write: "k-write", read: "k-read", revoked: "k-revoked", other: "k-other" } as const;
const plan = {
  steps: [
    { id: "charge", type: "tool", tool: "clock.now" },
    { id: "ship", type: "tool", tool: "clock.now", depends_on: ["charge"] },
  ],
} as const;
const body = {
  plan: {
    steps: plan.steps.map((step) => ({ ...step, depends_on: [...("depends_on" in step ? step.depends_on : [])] })),
  },
};

let bench: Bench;
/** An application's own login on the same database: it owns nothing of Baton's and has one grant. */
let shop: pg.Client;

const clientOf = (apiKey: string | undefined) => createClient({ baseUrl: "http://127.0.0.1:9", apiKey });
const client = clientOf(keys.write);
const hashOf = (text: string) => createHash("sha256").update(text).digest("hex");

async function loginAs(role: string): Promise<pg.Client> {
  const url = new URL(bench.database.adminUrl);
  url.username = role;
  url.password = role;
  const opened = new pg.Client({ connectionString: url.href });
  opened.on("error", () => undefined);
  await opened.connect();
  return opened;
}

async function ordersAndTasks(): Promise<{ orders: number; tasks: number }> {
  const { rows } = await bench.admin.query<{ orders: number; tasks: number }>(
    "select (select count(*)::int from public.orders) as orders, (select count(*)::int from baton.task_execution) as tasks",
  );
  return rows[0] as { orders: number; tasks: number };
}

async function refusal(run: Promise<unknown>): Promise<BatonClientError> {
  return run.then(
    () => expect.unreachable("it was accepted"),
    (error: BatonClientError) => error,
  );
}

beforeAll(async () => {
  bench = await openBench();
  const roles = ["tx_shop", "tx_stranger"];
  for (const role of roles) {
    await bench.admin.query(`do $$ begin create role ${role} login password '${role}';
      exception when duplicate_object or unique_violation then null; end $$`);
  }
  await bench.admin.query(`create table public.orders (id int primary key); grant all on public.orders to tx_shop, tx_stranger;
    grant usage on schema baton_client to tx_shop`);
  await bench.database.addTenant(otherTenant);
  const key = (name: keyof typeof keys, tenantId: string, scopes: readonly string[]) =>
    bench.store.createApiKey({ tenantId, keyId: newId(), name, hash: hashOf(keys[name]), scopes });
  await key("write", defaultTenantId, ["write"]);
  await key("read", defaultTenantId, ["read"]);
  await key("revoked", defaultTenantId, ["write"]);
  await key("other", otherTenant, ["admin"]);
  const revoked = (await bench.store.listApiKeys(defaultTenantId)).find(({ name }) => name === "revoked");
  await bench.store.revokeApiKey(defaultTenantId, revoked?.keyId ?? "");
  shop = await loginAs("tx_shop");
});
afterAll(async () => {
  await shop?.end();
  await bench?.close();
});
beforeEach(async () => {
  // Of a test that failed in the middle.
  await shop.query("rollback");
  await bench.admin.query(
    "delete from public.orders; delete from baton.task_execution; delete from baton.idempotency_key",
  );
});

describe("an order and its task", () => {
  it("are committed together", async () => {
    await shop.query("begin");
    await shop.query("insert into orders values (1)");
    const task = await client.createTask(body, { tx: shop });
    expect(await ordersAndTasks()).toEqual({ orders: 0, tasks: 0 });
    await shop.query("commit");
    expect(await ordersAndTasks()).toEqual({ orders: 1, tasks: 1 });
    expect(task).toMatchObject({ kind: "plan", state: "pending" });
    const steps = await bench.store.listTaskSteps({ tenantId: defaultTenantId, taskId: task.id }, { limit: 10 });
    expect(steps.map(({ key, state, dependsOn }) => [key, state, dependsOn.length])).toEqual([
      ["charge", "ready", 0],
      ["ship", "pending", 1],
    ]);
  });

  it("are rolled back together, and nothing of the task is left", async () => {
    const before = await bench.database.rowCounts();
    await shop.query("begin");
    await shop.query("insert into orders values (1)");
    await client.createTask(body, { tx: shop, idempotencyKey: "order-1" });
    await shop.query("rollback");
    expect(await ordersAndTasks()).toEqual({ orders: 0, tasks: 0 });
    expect(await bench.database.rowCounts()).toEqual(before);
  });

  it("are undone together to a savepoint of the caller's", async () => {
    await shop.query("begin; savepoint mine");
    await client.createTask(body, { tx: shop });
    await shop.query("rollback to savepoint mine");
    await client.createTask(body, { tx: shop });
    await shop.query("insert into orders values (1); commit");
    expect(await ordersAndTasks()).toEqual({ orders: 1, tasks: 1 });
  });

  it("are committed together in a serializable transaction", async () => {
    await shop.query("begin isolation level serializable");
    await shop.query("insert into orders values (1)");
    await client.createTask(body, { tx: shop });
    await shop.query("commit");
    expect(await ordersAndTasks()).toEqual({ orders: 1, tasks: 1 });
  });

  it("need no more of a driver than its query", async () => {
    await shop.query("begin");
    const tx: Transaction = { query: async (text, values) => ({ rows: (await shop.query(text, values)).rows }) };
    const { id } = await client.createTask({ goal: "Ship the order" }, { tx });
    await shop.query("commit");
    const [step] = await bench.store.listTaskSteps({ tenantId: defaultTenantId, taskId: id }, { limit: 10 });
    expect(step).toMatchObject({ key: "plan", kind: "plan", state: "ready" });
  });
});

describe("the task", () => {
  it("has the same rows as one that the same body makes over HTTP", async () => {
    const { layOutTask, taskSettings } = await import("@baton/core/task");
    const settings = { maxSteps: 7, retry: { max_attempts: 2 } };
    const laidOut = layOutTask({ ...body, settings }, { settings: taskSettings.parse(settings), newId });
    const byApi = { tenantId: defaultTenantId, taskId: newId(), traces: [], ...laidOut };
    await bench.store.createTask(byApi);
    await shop.query("begin");
    const { id } = await client.createTask({ ...body, settings }, { tx: shop });
    await shop.query("commit");
    const rows = async (taskId: string) => ({
      steps: (
        await bench.admin.query(
          `select key, position, kind, type, description, config, state, join_n, deps_open, reference_keys, rank, pool,
                  timeout_ms, retry, on_exhausted from baton.task_execution_step where task_id = $1 order by position`,
          [taskId],
        )
      ).rows,
      task: (
        await bench.admin.query(
          "select kind, goal, input, settings, state, estimated_duration_ms from baton.task_execution where task_id = $1",
          [taskId],
        )
      ).rows,
      traces: (
        await bench.admin.query("select no, type from baton.task_execution_trace where task_id = $1 order by no", [
          taskId,
        ])
      ).rows,
    });
    expect(await rows(id)).toEqual(await rows(byApi.taskId));
  });

  it("has the installation's settings where the body names none", async () => {
    await bench.store.installationSecret(new Uint8Array(32).fill(1));
    await bench.store.keepTaskDefaults({ maxSteps: 9, checkpointInterval: 2 });
    await shop.query("begin");
    const { id } = await client.createTask({ goal: "g", settings: { maxSteps: 3 } }, { tx: shop });
    await shop.query("commit");
    const task = await bench.store.getTask({ tenantId: defaultTenantId, taskId: id });
    expect(task?.settings).toMatchObject({ maxSteps: 3, checkpointInterval: 2, contextWindowLimit: 100_000 });
    await bench.store.keepTaskDefaults({});
  });

  it("is announced when the transaction commits, and not before", async () => {
    const heard: string[] = [];
    const listening = await bench.store.listenReady((pool) => heard.push(pool));
    await shop.query("begin");
    await client.createTask(body, { tx: shop });
    await client.createTask(body, { tx: shop });
    await shop.query("rollback; begin");
    await client.createTask({ goal: "g" }, { tx: shop });
    await shop.query("commit");
    await expect.poll(() => heard).toEqual(["interactive"]);
    await listening.close();
  });
});

describe("an idempotency key", () => {
  const create = async (goal: string, more: { readonly commit?: boolean } = {}) => {
    await shop.query("begin");
    try {
      return await client.createTask({ goal }, { tx: shop, idempotencyKey: "order-7" });
    } finally {
      await shop.query(more.commit === false ? "rollback" : "commit");
    }
  };

  it("answers again with the task that was committed, and refuses another body", async () => {
    await create("ship it", { commit: false });
    const first = await create("ship it");
    expect((await create("ship it")).id).toBe(first.id);
    expect((await refusal(create("ship another"))).code).toBe("idempotency-key-reused");
    expect((await ordersAndTasks()).tasks).toBe(1);
  });

  it("used by two transactions at once makes one task", async () => {
    const second = await loginAs("tx_shop");
    try {
      await shop.query("begin");
      await second.query("begin");
      const first = await client.createTask({ goal: "g" }, { tx: shop, idempotencyKey: "k" });
      const [{ pid }] = (await second.query("select pg_backend_pid() as pid")).rows;
      const waiting = client.createTask({ goal: "g" }, { tx: second, idempotencyKey: "k" });
      // What it reads of the first task it must not have read before that was committed.
      const isWaiting = "select wait_event_type = 'Lock' as yes from pg_stat_activity where pid = $1";
      await expect
        .poll(async () => (await bench.admin.query(isWaiting, [pid])).rows[0]?.yes, { timeout: 20_000 })
        .toBe(true);
      await shop.query("commit");
      expect((await waiting).id).toBe(first.id);
      await second.query("commit");
    } finally {
      await second.end();
    }
    expect((await ordersAndTasks()).tasks).toBe(1);
  });
});

describe("what is refused leaves the transaction usable:", () => {
  const cases: readonly (readonly [what: string, code: string, key: string | undefined, body: never])[] = [
    ["a plan that cannot run", "invalid-plan", keys.write, { plan: { steps: [{ ...plan.steps[1] }] } } as never],
    ["a body of another shape", "invalid-request", keys.write, { gaol: "g" } as never],
    ["a text with a NUL", "invalid-request", keys.write, { goal: "a\0b" } as never],
    [
      "a pool of Baton's own",
      "invalid-plan",
      keys.write,
      { plan: { steps: [{ ...plan.steps[0], pool: "interactive" }] } } as never,
    ],
    ["no key", "unauthenticated", undefined, { goal: "g" } as never],
    ["a key that is not known", "unauthenticated", "k-none", { goal: "g" } as never],
    ["a key that was revoked", "unauthenticated", keys.revoked, { goal: "g" } as never],
    ["a key that may only read", "forbidden", keys.read, { goal: "g" } as never],
  ];
  it.each(cases)("%s", async (_what, code, key, given) => {
    await shop.query("begin");
    await shop.query("insert into orders values (1)");
    const error = await refusal(clientOf(key).createTask(given, { tx: shop }));
    expect(error).toMatchObject({ name: "BatonClientError", code, problem: { code } });
    await shop.query("insert into orders values (2); commit");
    expect(await ordersAndTasks()).toEqual({ orders: 2, tasks: 0 });
  });

  it("a failure inside PostgreSQL, which is told as the driver tells it", async () => {
    await bench.admin.query(`create function fail() returns trigger language plpgsql as $$ begin raise exception 'full' using errcode = '53100'; end $$;
      create trigger fail before insert on baton.task_execution_trace execute function fail()`);
    await shop.query("begin; insert into orders values (1)");
    const error = await refusal(client.createTask(body, { tx: shop }));
    await bench.admin.query("drop function fail cascade");
    expect(error).toMatchObject({ name: "error", code: "53100" });
    const { rows } = await shop.query(
      "select current_user as role, current_setting('baton.tenant_id', true) as tenant",
    );
    expect(rows[0]).toEqual({ role: "tx_shop", tenant: expect.toBeOneOf([null, ""]) });
    await shop.query("commit");
    expect(await ordersAndTasks()).toEqual({ orders: 1, tasks: 0 });
  });
});

describe("a connection", () => {
  it("without an open transaction is refused, and so is a pool", async () => {
    const url = new URL(bench.database.adminUrl);
    url.username = url.password = "tx_shop";
    const pool = new pg.Pool({ connectionString: url.href, max: 2 });
    for (const tx of [shop, pool]) {
      const error = await refusal(client.createTask(body, { tx }));
      expect(error.code).toBe("invalid-request");
      expect(error.message).toContain("no open transaction");
    }
    await pool.end();
    expect((await ordersAndTasks()).tasks).toBe(0);
  });

  it("whose role has no grant is told which one", async () => {
    const stranger = await loginAs("tx_stranger");
    await stranger.query("begin; insert into orders values (1)");
    const error = await refusal(client.createTask(body, { tx: stranger }));
    expect(error.code).toBe("forbidden");
    const [advice] = /grant usage on schema baton_client to/.exec(error.message) ?? [];
    await stranger.query("commit");
    await bench.admin.query(`${advice} tx_stranger`);
    await stranger.query("begin");
    await client.createTask(body, { tx: stranger });
    await stranger.query("commit");
    await bench.admin.query("revoke usage on schema baton_client from tx_stranger");
    await stranger.end();
    expect(await ordersAndTasks()).toEqual({ orders: 1, tasks: 1 });
  });

  it("to a database without Baton is told so", async () => {
    const url = new URL(bench.database.adminUrl);
    url.pathname = "/postgres";
    const elsewhere = new pg.Client({ connectionString: url.href });
    await elsewhere.connect();
    await elsewhere.query("begin");
    const error = await refusal(client.createTask(body, { tx: elsewhere }));
    await elsewhere.end();
    expect(error.code).toBe("invalid-configuration");
  });

  it("keeps its role, its tenant and its search path", async () => {
    const settings = async () =>
      (
        await shop.query(`select current_user, session_user, current_setting('search_path') as path,
          current_setting('enable_seqscan') as scans, current_setting('baton.tenant_id', true) as tenant`)
      ).rows[0];
    await shop.query(`begin; set local search_path = pg_temp; set local baton.tenant_id = '${otherTenant}'`);
    const before = await settings();
    await client.createTask(body, { tx: shop });
    expect(await settings()).toEqual(before);
    await refusal(clientOf("k-none").createTask(body, { tx: shop }));
    expect(await settings()).toEqual(before);
    await shop.query("commit");
  });
});

describe("a role with the grant", () => {
  it("creates in the tenant of its key, whatever the request or its own settings say", async () => {
    await shop.query("begin");
    await shop.query(`set local baton.tenant_id = '${defaultTenantId}'`);
    await clientOf(keys.other).createTask(body, { tx: shop });
    const forged = {
      tenantId: defaultTenantId,
      createdBy: newId(),
      originTaskId: newId(),
      taskId: newId(),
      kind: "goal",
      goal: "forged",
      settings: {},
      defaults: {},
      traces: [{ type: "task-cancelled", data: {} }],
      steps: [
        {
          id: newId(),
          key: "plan",
          kind: "plan",
          type: "plan",
          description: "",
          config: {},
          rank: 0,
          pool: "interactive",
          timeout_ms: 1000,
          retry: {},
          on_exhausted: "fail",
          deps: [],
        },
      ],
    };
    const raw = "select baton_client.create_task_v1($1, $2) as answer";
    await shop.query(raw, [hashOf(keys.other), forged]);
    await shop.query("commit");
    const { rows } = await bench.admin.query(
      `select t.tenant_id, t.origin_task_id, count(*)::int as tasks,
         (select count(*)::int from baton.task_execution_trace where type = 'task-cancelled') as forged
       from baton.task_execution t group by 1, 2`,
    );
    expect(rows).toEqual([{ tenant_id: otherTenant, origin_task_id: null, tasks: 2, forged: 0 }]);
  });

  it("cannot put steps of Baton's own kinds into a plan", async () => {
    await shop.query("begin");
    const answers = [];
    for (const more of [{ kind: "plan" }, { pool: "interactive" }, { config: { step: { pool: "interactive" } } }]) {
      const steps = [{ id: newId(), kind: "user", pool: "default", config: {}, ...more }];
      const { rows } = await shop.query("select baton_client.create_task_v1($1, $2) as answer", [
        hashOf(keys.write),
        { taskId: newId(), kind: "plan", goal: "g", settings: {}, defaults: {}, steps },
      ]);
      answers.push((rows[0] as { answer: unknown }).answer);
    }
    await shop.query("rollback");
    expect(answers).toEqual(Array(3).fill({ refused: "invalid-plan" }));
  });

  it("reaches nothing else of Baton", async () => {
    const attempts = [
      "select * from baton.task_execution",
      "select * from baton.api_key",
      "insert into baton.tenant values (gen_random_uuid(), 'mine')",
      `select * from baton_v1.client_of_key('${hashOf(keys.write)}')`,
      "select baton_v1.reap()",
      "create function baton_client.mine() returns int language sql as 'select 1'",
      "set role baton_api",
      "set role baton_engine",
    ];
    for (const attempt of attempts) {
      await expect(shop.query(attempt), attempt).rejects.toMatchObject({ code: "42501" });
    }
  });

  it("is not bound by a function that passes row-level security by", async () => {
    const { rows } = await bench.admin.query(
      `select p.proname, r.rolname, r.rolsuper or r.rolbypassrls as passes
       from pg_proc p join pg_roles r on r.oid = p.proowner
       where p.prosecdef and p.pronamespace::regnamespace::text in ('baton', 'baton_client', 'baton_v1') order by 1`,
    );
    expect(rows).toEqual([
      { proname: "client_of_key", rolname: "baton_engine", passes: false },
      { proname: "create_task_v1", rolname: "baton_api", passes: false },
    ]);
  });
});
