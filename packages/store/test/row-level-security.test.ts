/** Row-level security, proved over the catalogue and on every table with rows of two tenants. */
import { defaultTenantId } from "@baton/core";
import type { NewChild } from "@baton/core/ports";
import { taskSettings } from "@baton/core/task";
import { openStore, type Store } from "@baton/store";
import { createTestDatabase } from "@baton/testing/databases";
import { startTestPostgres, type TestPostgres } from "@baton/testing/servers";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Bench,
  claim,
  completed,
  type CreatedTask,
  createTask,
  newId,
  openBench,
  settlementOf,
  step,
} from "./builders.ts";

/** Tables that belong to the installation and to no tenant, with what baton_api may see of them. */
const installationTables: Readonly<Record<string, "rows" | "nothing">> = {
  worker_session: "rows",
  live_message: "nothing",
  rate_limit: "nothing",
  provider_gate: "nothing",
  installation: "nothing",
};

const tenants = { a: newId(), b: newId() };
let bench: Bench;
let tables: string[];
const tasks: Record<string, CreatedTask> = {};

beforeAll(async () => {
  bench = await openBench();
  const { rows } = await bench.admin.query<{ name: string }>(
    "select relname as name from pg_class where relnamespace = 'baton'::regnamespace and relkind in ('r', 'p') order by 1",
  );
  tables = rows.map(({ name }) => name);
  for (const tenantId of Object.values(tenants)) {
    await bench.admin.query("insert into baton.tenant (tenant_id, name) values ($1, 'a test')", [tenantId]);
    tasks[tenantId] = await fill(bench.store, tenantId);
  }
});
afterAll(() => bench?.close());

/** At least one row of the tenant in every table that has tenants. */
async function fill(store: Store, tenantId: string): Promise<CreatedTask> {
  const threadId = newId();
  const [first, second] = [newId(), newId()];
  const key = { tenantId, route: "POST /api/v1/tasks", key: "k" };
  await store.startIdempotent(key, "hash");
  await store.finishIdempotent(key, { status: 201, headers: {}, body: "{}" });
  await store.createApiKey({
    tenantId,
    keyId: newId(),
    name: "a key",
    hash: newId().replaceAll("-", "").repeat(2),
    scopes: ["read"],
  });
  await store.appendMessage({
    tenantId,
    threadId,
    messageId: newId(),
    role: "user",
    parts: [{ type: "text", text: "hi" }],
  });
  const steps = [step("first", first), step("second", second, [first])];
  const task = await createTask(store, steps, { tenantId, threadId, settings: { checkpointInterval: 1 } });
  const attempt = await claim(store, task, first);
  const intent = { ref: attempt.ref, attemptNo: 1, callNo: 1, tool: "t", effect: "read", argumentsJson: "{}" } as const;
  await store.startEffect(intent);
  const call = { inputTokens: 1, least: 1, most: 1, price: null, offline: false, model: { provider: "p", model: "m" } };
  const caller = {
    ref: attempt.ref,
    rootTaskId: attempt.ref.taskId,
    attemptNo: 1,
    caps: undefined,
    createdAt: attempt.task.createdAt,
  };
  const reserved = await store.reserveCall({ kind: "model", ...caller, ...call });
  if ("reservationId" in reserved)
    await store.settleCall({ tenantId, reservationId: reserved.reservationId, outcome: "lost" });
  await store.putAgent({ tenantId, name: "a", definition: { name: "a" } });
  await store.storeNote(attempt.ref, { agent: "a", noteId: newId(), source: "s", text: "a note" });
  await bench.admin.query("insert into baton.mcp_server (tenant_id, server, settings_hash) values ($1, 's', 'h')", [
    tenantId,
  ]);
  await bench.admin.query(
    `insert into baton.mcp_tool (tenant_id, server, tool, offered, definition, hash, first_seen_at, changed_at)
     values ($1, 's', 't', true, '{}', 'h', now(), now())`,
    [tenantId],
  );
  await store.saveArtifact(attempt.ref, { name: "a.txt", mediaType: "text/plain", content: new Uint8Array([1]) });
  await store.settleAttempt(settlementOf(attempt, completed({ text: "x".repeat(100_000) })));
  const next = await claim(store, task, second);
  const question = {
    questionId: newId(),
    callNo: 1,
    kind: "question",
    subject: { text: "?" },
    approvers: [],
    quorum: 1,
  } as const;
  await store.settleAttempt(
    settlementOf(next, { outcome: "asked", questions: [question], children: [childOf(newId())] }),
  );
  return task;
}

const childOf = (stepId: string): NewChild => ({
  childTaskId: newId(),
  callNo: 2,
  agent: "helper",
  task: { kind: "plan", goal: "help", input: null, settings: taskSettings.parse({}), steps: [step("agent", stepId)] },
});

/** Runs as the login that an attacker of the api would have: baton_api, with or without a tenant. */
async function asApi<Result>(
  tenantId: string | undefined,
  run: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  const client = new pg.Client({ connectionString: bench.database.adminUrl });
  await client.connect();
  try {
    await client.query("begin; set local role baton_api");
    if (tenantId !== undefined) await client.query(`set local baton.tenant_id = '${tenantId}'`);
    return await run(client);
  } finally {
    await client.end();
  }
}

const tenantTables = (): string[] => tables.filter((name) => installationTables[name] === undefined);
const codeOf = async (query: Promise<unknown>): Promise<string> =>
  query.then(
    () => "accepted",
    (error: { code?: string }) => String(error.code),
  );

describe("every table of the schema baton", () => {
  it("carries tenant_id, and has row-level security enabled and forced", async () => {
    const { rows } = await bench.admin.query(
      `select c.relname from pg_class c
       where c.relnamespace = 'baton'::regnamespace and c.relkind in ('r', 'p')
         and (not c.relrowsecurity or not c.relforcerowsecurity
              or not exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id' and a.attnotnull))`,
    );
    expect(rows).toEqual([]);
  });

  it("has one policy for the engine, and one for the api that names the tenant", async () => {
    const { rows } = await bench.admin.query<{
      tablename: string;
      roles: string[];
      cmd: string;
      qual: string;
      with_check: string | null;
    }>("select tablename, roles::text[], cmd, qual, with_check from pg_policies where schemaname = 'baton'");
    const tenant = "(tenant_id = (NULLIF(current_setting('baton.tenant_id'::text, true), ''::text))::uuid)";
    const all = { cmd: "ALL", qual: "true", with_check: "true" };
    for (const name of tables) {
      const policies = rows.filter(({ tablename }) => tablename === name);
      const of = (role: string) =>
        policies.flatMap(({ roles, cmd, qual, with_check }) =>
          roles.includes(role) ? [{ cmd, qual, with_check }] : [],
        );
      const forApi = installationTables[name] ?? "tenant";
      expect([name, of("baton_engine")]).toEqual([name, [all]]);
      const expected = {
        tenant: [{ cmd: "ALL", qual: tenant, with_check: tenant }],
        rows: [{ cmd: "SELECT", qual: "true", with_check: null }],
        nothing: [],
      }[forApi];
      expect([name, of("baton_api")]).toEqual([name, expected]);
      expect([name, of("public")]).toEqual([name, []]);
    }
  });

  it("is no table of the roles that it binds, and none of them may pass it by", async () => {
    const { rows } = await bench.admin.query(
      `select r.rolname from pg_roles r left join pg_class c on c.relowner = r.oid and c.relnamespace = 'baton'::regnamespace
       where r.rolname in ('baton_api', 'baton_engine')
         and (r.rolsuper or r.rolbypassrls or r.rolcreaterole or r.rolcanlogin or c.oid is not null)`,
    );
    expect(rows).toEqual([]);
  });

  it("is filled for both tenants, so that what follows proves something", async () => {
    for (const name of tenantTables()) {
      const { rows } = await bench.admin.query<{ n: number }>(
        `select count(distinct tenant_id)::int as n from baton.${name} where tenant_id = any ($1)`,
        [Object.values(tenants)],
      );
      expect([name, rows[0]?.n]).toEqual([name, 2]);
    }
  });

  it("shows nothing without a tenant, also to a superuser's connection that took the role", async () => {
    for (const value of [undefined, ""]) {
      for (const name of tenantTables()) {
        const count = await asApi(value, (client) => client.query(`select count(*)::int as n from baton.${name}`));
        expect([name, count.rows[0]]).toEqual([name, { n: 0 }]);
      }
    }
  });

  it("shows a tenant its own rows and no other's", async () => {
    for (const name of tenantTables()) {
      const seen = await asApi(tenants.a, (client) =>
        client.query<{ tenant_id: string }>(`select distinct tenant_id from baton.${name}`),
      );
      expect([name, seen.rows]).toEqual([name, [{ tenant_id: tenants.a }]]);
    }
  });

  it("of the installation shows sessions, and neither messages nor rates", async () => {
    const read = (name: string) => asApi(tenants.a, (client) => codeOf(client.query(`select from baton.${name}`)));
    for (const [name, what] of Object.entries(installationTables)) {
      expect([name, await read(name)]).toEqual([name, what === "rows" ? "accepted" : "42501"]);
    }
    expect(await asApi(tenants.a, (client) => codeOf(client.query("delete from baton.worker_session")))).toBe("42501");
  });

  it("takes no row of another tenant, and gives none away", async () => {
    for (const name of tenantTables()) {
      const { rows } = await bench.admin.query<{ row: unknown }>(
        `select to_jsonb(t) as row from baton.${name} t where tenant_id = $1 limit 1`,
        [tenants.b],
      );
      const inserted = await asApi(tenants.a, (client) =>
        codeOf(
          client.query(`insert into baton.${name} select r.* from jsonb_populate_record(null::baton.${name}, $1) r`, [
            JSON.stringify(rows[0]?.row),
          ]),
        ),
      );
      const moved = await asApi(tenants.a, (client) =>
        codeOf(client.query(`update baton.${name} set tenant_id = $1`, [tenants.b])),
      );
      expect([name, inserted, moved]).toEqual([name, "42501", "42501"]);
    }
  });

  it("is not changed by a tenant that names another's rows", async () => {
    for (const name of tenantTables().filter((each) => each !== "tenant")) {
      const touched = await asApi(tenants.a, async (client) => [
        (await client.query(`update baton.${name} set tenant_id = tenant_id where tenant_id = $1`, [tenants.b]))
          .rowCount,
        (await client.query(`delete from baton.${name} where tenant_id = $1`, [tenants.b])).rowCount,
      ]);
      expect([name, touched]).toEqual([name, [0, 0]]);
    }
  });
});

describe("a client verb with another tenant's task", () => {
  it("finds nothing and changes nothing", async () => {
    const { store } = bench;
    const foreign = { tenantId: tenants.a, taskId: tasks[tenants.b]?.taskId ?? "" };
    const before = await store.getTask({ ...foreign, tenantId: tenants.b });
    expect(before).toMatchObject({ state: "waiting" });
    expect(await store.getTask(foreign)).toBeUndefined();
    expect(await store.listTaskSteps(foreign, { limit: 10 })).toEqual([]);
    expect(await store.listTaskTraces(foreign, { limit: 10 })).toEqual([]);
    expect(await store.listCheckpoints(foreign)).toEqual([]);
    expect(await store.listArtifacts(foreign)).toEqual([]);
    expect(await store.listQuestions({ ...foreign, limit: 10 })).toEqual([]);
    const [question] = await store.listQuestions({ ...foreign, tenantId: tenants.b, limit: 10 });
    const word = { act: "answer", answer: "a", by: "k", name: "k" } as const;
    expect(await store.getQuestion(tenants.a, question?.questionId ?? "")).toBeUndefined();
    expect(await store.answerQuestion(tenants.a, question?.questionId ?? "", word)).toBeUndefined();
    expect(await store.readTaskBudget(foreign)).toBeUndefined();
    expect(await store.changeTaskBudget(foreign, { tokens: 5 }, {})).toBeUndefined();
    const days = { from: "2000-01-01", to: "2999-12-31", groupBy: "task", limit: 9 } as const;
    const spentOn = (await store.usage({ tenantId: tenants.a, ...days })).rows.map(({ taskId }) => taskId);
    expect(spentOn).toEqual([tasks[tenants.a]?.taskId]);
    expect(await store.whyTask(foreign)).toEqual([]);
    expect(await store.cancelTask(foreign, {})).toBeUndefined();
    expect(await store.pauseTask(foreign)).toBeUndefined();
    expect(await store.resumeTask(foreign)).toBeUndefined();
    expect(await store.retryTask(foreign)).toBeUndefined();
    const [step] = await store.listTaskSteps({ ...foreign, tenantId: tenants.b }, { limit: 1 });
    const stepId = step?.stepId ?? "";
    expect(await store.findDeadLetter(tenants.a, stepId)).toBeUndefined();
    expect(await store.readFailedStep(tenants.a, stepId)).toBeUndefined();
    expect(await store.retryStep({ ...foreign, stepId }, {})).toBeUndefined();
    expect(await store.resolveStep({ ...foreign, stepId }, { attemptNo: 1, state: "skipped" })).toBeUndefined();
    const everything = { tenantId: tenants.a, stepIds: [stepId] };
    expect(await store.listDeadLetterGroups({ ...everything, limit: 1, letters: 1 })).toEqual({ total: 0, groups: [] });
    expect(await store.retryDeadLetters(everything, {})).toEqual({ retriedSteps: 0, retriedTasks: 0 });
    const own = await store.listTasks({ tenantId: tenants.a, limit: 100 });
    expect(own.map(({ taskId, rootTaskId = taskId }) => rootTaskId)).toEqual(own.map(() => tasks[tenants.a]?.taskId));
    expect(await store.getTask({ ...foreign, tenantId: tenants.b })).toEqual(before);
    expect(await store.getTask({ ...foreign, tenantId: defaultTenantId })).toBeUndefined();
  });
});

describe("opening the store", () => {
  let server: TestPostgres;
  let admin: pg.Client;
  let url: string;
  // Roles belong to the whole server: what is done to them here must not meet another test.
  beforeAll(async () => {
    server = await startTestPostgres();
    const database = await createTestDatabase(server.url);
    url = database.url;
    admin = new pg.Client({ connectionString: database.adminUrl });
    admin.on("error", () => undefined);
    await admin.connect();
  });
  afterAll(async () => {
    await admin?.end();
    await server?.stop();
  });

  const open = async (): Promise<string> => {
    const options = { url, applicationName: "test", newId, onError: () => undefined, onWakeUps: () => undefined };
    const opened = await openStore(options).catch((error: { code?: string; message: string }) => error);
    if (!("close" in opened)) return `${opened.code}: ${opened.message}`;
    await opened.close();
    return "open";
  };

  it.each([
    [
      "may pass policies by",
      "alter role baton_api bypassrls",
      "alter role baton_api nobypassrls",
      /baton_api is BYPASSRLS/,
    ],
    [
      "is a superuser",
      "alter role baton_engine superuser",
      "alter role baton_engine nosuperuser",
      /baton_engine is superuser/,
    ],
    [
      "owns a table",
      "alter table baton.effect owner to baton_api",
      "alter table baton.effect owner to baton_app",
      /baton_api is owner of effect/,
    ],
  ])("is refused while a role %s, and says what to run", async (_, breakIt, mendIt, message) => {
    expect(await open()).toBe("open");
    await admin.query(breakIt);
    try {
      const answer = await open();
      expect(answer).toMatch(/^unsafe-role: /);
      expect(answer).toMatch(message);
      expect(answer).toContain("nosuperuser nobypassrls");
    } finally {
      await admin.query(mendIt);
    }
    expect(await open()).toBe("open");
  });
});
