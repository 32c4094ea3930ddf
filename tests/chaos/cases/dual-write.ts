/** Whoever creates a task dies between the commit and the dispatch, always; or rolls its own transaction back. */
import { fileURLToPath } from "node:url";
import { startProgram } from "../../stack/program.ts";
import { backends, newId } from "../../stack/stack.ts";
import type { ChaosCase } from "../harness/case.ts";
import { effectChain } from "../harness/plans.ts";
import { postTask } from "../harness/post-task.ts";
import type { World } from "../harness/world.ts";

const promisedMs = 10_000;
const apiMain = "tests/chaos/programs/api.ts";
const shopMain = fileURLToPath(new URL("../programs/shop.ts", import.meta.url));

export const dualWrite: ChaosCase<{ posts: number; orders: number }> = {
  id: "dual-write",
  backends,
  claims:
    "a crash between commit and dispatch, always: every task starts within 10 s; of what was rolled back nothing exists and nothing runs",
  scale: { t: { posts: 1, orders: 4 }, l: { posts: 20, orders: 60 } },
  seconds: { t: 25, l: 200 },
  // Nothing of an attempt is lost: the first wake-up is late.
  least: { recovered: 0 },
  async run(world, { posts, orders }) {
    await openShop(world);
    for (let count = 0; count < posts; count++) await postToDyingApi(world);
    const endings = world.random.shuffle(
      Array.from({ length: orders }, (_, at) => (at % 2 === 0 ? ("dies" as const) : ("rolls-back" as const))),
    );
    for (let from = 0; from < endings.length; from += 3) {
      await Promise.all(endings.slice(from, from + 3).map((ending, at) => placeOrder(world, `o-${from + at}`, ending)));
    }
    await world.untilAllSettled();
    await refuseLateAndGhosts(world);
  },
};

/** The api dies where it would dispatch what it has just committed; a later one answers for it. */
async function postToDyingApi(world: World): Promise<void> {
  const { stack, faults } = world;
  stack.api.kill("SIGTERM");
  await stack.api.exited;
  const dying = await stack.startApi(
    { CHAOS_FAIL_POINTS: JSON.stringify([{ at: "before-dispatch", signal: "SIGKILL" }]) },
    apiMain,
  );
  const plan = effectChain(2);
  const posting = postTask(stack, { plan }, newId(), 60_000 * world.slack);
  posting.catch(() => undefined);
  await dying.exited;
  faults.record("crash", "the api, between the commit of a task and its dispatch");
  const [row] = await stack.database.read<{ count: number }>(
    "select count(*)::int as count from baton.task_execution where trace_no > 0",
  );
  if ((row?.count ?? 0) === 0) throw new Error("The api died before it had committed a task.");
  await stack.startApi();
  world.expectTask(await posting, { state: "completed", stepCount: plan.steps.length });
}

async function openShop({ stack }: World): Promise<void> {
  await stack.database.execute(`
    do $$ begin create role chaos_shop login password 'chaos_shop'; exception when duplicate_object or unique_violation then null; end $$;
    create table public.orders (number text primary key, task_id uuid not null);
    grant insert on public.orders to chaos_shop;
    grant usage on schema baton_client to chaos_shop`);
}

async function placeOrder(world: World, number: string, ending: "dies" | "rolls-back"): Promise<void> {
  const { stack, faults } = world;
  const url = new URL(stack.database.adminUrl);
  url.username = url.password = "chaos_shop";
  const plan = effectChain(2, { label: number });
  const env = {
    PATH: process.env["PATH"] ?? "",
    BATON_URL: stack.url,
    BATON_API_KEY: stack.key,
    SHOP_DATABASE_URL: url.href,
    ORDER: number,
    PLAN: JSON.stringify(plan),
    ENDING: ending,
  };
  const shop = startProgram({ name: "shop", main: shopMain, cwd: process.cwd(), env });
  if ((await shop.exited) !== "SIGKILL") throw new Error(`The shop did not get to its end:\n${shop.output()}`);
  faults.record("crash", ending === "dies" ? "a client, right after its COMMIT" : "a client, after its ROLLBACK");
  const rows = await stack.database.read<{ id: string }>(
    `select task_id::text as id from public.orders where number = '${number}'`,
  );
  if (rows.length !== (ending === "dies" ? 1 : 0))
    throw new Error(`Order ${number} ${ending} and has ${rows.length} rows.`);
  for (const { id } of rows) world.expectTask(id, { state: "completed", stepCount: plan.steps.length });
}

async function refuseLateAndGhosts({ stack, tasks, slack }: World): Promise<void> {
  const late = await stack.database.read<{ id: string; ms: number }>(
    `select t.task_id::text as id, extract(epoch from min(s.started_at) - t.created_at)::float8 * 1000 as ms
     from baton.task_execution t join baton.task_execution_step s using (tenant_id, task_id) group by t.tenant_id, t.task_id, t.created_at
     having min(s.started_at) - t.created_at > make_interval(secs => ${(promisedMs * slack) / 1_000})`,
  );
  if (late.length > 0) throw new Error(`Started late: ${JSON.stringify(late)}`);
  const there = await stack.database.read<{ id: string }>("select task_id::text as id from baton.task_execution");
  const ghosts = there.filter(({ id }) => !tasks.has(id));
  if (ghosts.length > 0) throw new Error(`Nobody has created these tasks: ${ghosts.map(({ id }) => id).join(", ")}`);
}
