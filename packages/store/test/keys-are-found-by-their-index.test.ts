/**
 * docs/decisions/0007: on a fresh installation nothing is analysed, and every index that begins with the same columns
 * costs the same. The look-ups below are those of the verbs, planned as their connections plan them.
 */
import { createTestDatabase, type TestDatabase } from "@baton/testing/databases";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { type Connections, openConnections } from "../src/connection/pools.ts";
import { newId } from "./builders.ts";

let database: TestDatabase;
let connections: Connections;
beforeAll(async () => {
  database = await createTestDatabase(inject("postgresUrl"));
  connections = openConnections({
    url: database.url,
    maxConnections: 1,
    applicationName: "test",
    onError: () => undefined,
  });
});
afterAll(async () => {
  await connections?.close();
  await database?.drop();
});

interface PlanNode {
  readonly "Node Type": string;
  readonly "Relation Name"?: string;
  readonly "Index Name"?: string;
  readonly "Index Cond"?: string;
  readonly Plans?: readonly PlanNode[];
}

const nodesOf = (node: PlanNode): PlanNode[] => [node, ...(node.Plans ?? []).flatMap(nodesOf)];

const step = "baton.task_execution_step f where f.tenant_id = $1 and f.task_id = $2";
const edge = "baton.task_execution_step_edge e where e.tenant_id = $1 and e.task_id = $2";
const parameters = "uuid, uuid, uuid";

const lookUps = [
  ["a step by its full key", `select * from ${step} and f.step_id = $3`, parameters, "task_execution_step_pkey", 3],
  ["a step by the name of its key", `select f.step_id from ${step} and f.key = $3`, "uuid, uuid, text", "step_key", 3],
  ["edges by their target", `select e.from_step_id from ${edge} and e.to_step_id = $3`, parameters, "edge_to", 3],
  [
    "edges by their source",
    `select e.to_step_id from ${edge} and e.from_step_id = $3`,
    parameters,
    "task_execution_step_edge_pkey",
    3,
  ],
  [
    "a budget",
    "select * from baton.budget b where b.tenant_id = $1 and b.scope = $2 and b.scope_id = $3",
    "uuid, text, text",
    "budget_pkey",
    3,
  ],
  [
    "a reservation",
    // As a verb looks for many: with what a row set brings, also indexes cost the same that only begin alike.
    `select r.* from jsonb_array_elements(jsonb_build_array($1::text)) as c(j)
     cross join lateral (
       select * from baton.reservation f
       where f.tenant_id = (c.j->>0)::uuid and f.reservation_id = (c.j->>0)::uuid offset 0) r where $2 <> $1`,
    "uuid, uuid",
    "reservation_pkey",
    2,
  ],
  [
    "a map's items",
    `select * from ${step} and f.parent_step_id = $3 and f.item_index > 5 order by f.item_index limit 500`,
    parameters,
    "step_items",
    4,
  ],
  [
    "a task's steps in the order of the plan",
    `select * from ${step} order by f.position limit 100`,
    "uuid, uuid",
    "step_position",
    2,
  ],
  [
    "what a session runs",
    "select * from baton.task_execution_step where session_id = $1 and state = 'running'",
    "uuid",
    "step_running",
    1,
  ],
  [
    "the live tasks, newest first",
    `select * from baton.task_execution t
     where t.tenant_id = $1 and t.state in ('running', 'waiting') and t.state not in ('completed', 'cancelled', 'failed')
     order by t.task_id desc limit 1`,
    "uuid",
    "task_running",
    1,
  ],
] as const;

describe("on a database that was never analysed", () => {
  it("nothing has statistics", async () => {
    const { rows } = {
      rows: await connections.engine<{ name: string }>(
        "select relname as name from pg_class where relnamespace = 'baton'::regnamespace and relkind = 'r' and relname like 'task_execution%' and reltuples >= 0",
      ),
    };
    expect(rows).toEqual([]);
  });

  it.each(
    ["force_custom_plan", "force_generic_plan"].flatMap((mode) => lookUps.map((lookUp) => [mode, ...lookUp] as const)),
  )(
    "under %s, %s: by its index, every column of the key in the condition",
    async (mode, _, text, types, index, columns) => {
      const values = types.split(", ").map((type) => (type === "text" ? "'a'" : `'${newId()}'`));
      await connections.engine(`set plan_cache_mode = ${mode}`);
      await connections.engine(`prepare looked_up (${types}) as ${text}`);
      const rows = await connections.engine<{ "QUERY PLAN": readonly [{ readonly Plan: PlanNode }] }>(
        `explain (format json) execute looked_up (${values.join(", ")})`,
      );
      await connections.engine("deallocate looked_up");
      await connections.engine("reset plan_cache_mode");
      const plan = nodesOf((rows[0] as (typeof rows)[0])["QUERY PLAN"][0].Plan);
      expect(plan.map((node) => node["Index Name"]).filter((name) => name !== undefined)).toEqual([index]);
      expect(plan.map((node) => node["Node Type"])).not.toContain("Seq Scan");
      const conditions = plan.map((node) => node["Index Cond"] ?? "").find((condition) => condition !== "") ?? "";
      expect(conditions.split(" AND ")).toHaveLength(columns);
    },
  );
});
