/** README's `placeOrder` as a service of its own: its orders and their tasks stand or fall together. */
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startProgram } from "../stack/program.ts";
import { onEachBackend, type Stack, startStack, until } from "./stack.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
/** Below tests/, so that the example finds its packages as an installed one would. */
const folder = join(root, "tests", ".baton", `orders-${process.pid}`);

const service = `
import { placeOrder } from "./place-order.ts";
try {
  process.stdout.write(await placeOrder(process.env.ORDER ?? ""));
  if (process.env.DIES === "yes") process.kill(process.pid, "SIGKILL");
  process.exit(0);
} catch (error) {
  process.stderr.write(String((error as { code?: string }).code ?? error));
  process.exit(1);
}
`;

async function exampleOf(page: string): Promise<{ sql: string; ts: string }> {
  const text = await readFile(join(root, page), "utf8");
  const section = text.split("\n## ").find((part) => part.startsWith("In your own transaction")) ?? "";
  const block = (language: string) =>
    new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\``, "m").exec(section)?.[1] ?? "";
  return { sql: block("sql"), ts: block("ts") };
}

onEachBackend("an order and its task", (backend) => {
  let stack: Stack;
  let shopUrl: string;
  beforeAll(async () => {
    const { sql, ts } = await exampleOf("README.md");
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, "place-order.ts"), ts);
    await writeFile(join(folder, "service.ts"), service);
    stack = await startStack({ backend, workers: 1 });
    const url = new URL(stack.database.adminUrl);
    url.username = url.password = "shop";
    shopUrl = url.href;
    await stack.database.execute(`
      do $$ begin create role shop login password 'shop'; exception when duplicate_object or unique_violation then null; end $$;
      -- Checked at COMMIT: the second order of a number fails after its task was created.
      create table public.orders (number text primary key deferrable initially deferred, task_id uuid not null);
      grant insert on public.orders to shop;
      ${sql}`);
  });
  afterAll(async () => {
    await stack?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const place = async (order: string, dies = false) => {
    const env = {
      PATH: process.env["PATH"] ?? "",
      DATABASE_URL: shopUrl,
      BATON_URL: stack.url,
      BATON_API_KEY: stack.key,
    };
    const more = { ORDER: order, DIES: dies ? "yes" : "no" };
    const program = startProgram({
      name: "shop",
      main: join(folder, "service.ts"),
      cwd: folder,
      env: { ...env, ...more },
    });
    return { ended: await program.exited, printed: program.output() };
  };
  const taskIds = async () =>
    (await stack.database.read<{ id: string }>("select task_id::text as id from baton.task_execution")).map(
      ({ id }) => id,
    );
  /** From the creation to the first attempt, in ms. */
  const startDelay = async (taskId: string) => {
    await until("the task is completed", async () => (await stack.client.getTask(taskId)).state === "completed");
    const [row] = await stack.database.read<{ ms: number }>(
      `select extract(epoch from s.started_at - t.created_at)::float8 * 1000 as ms
       from baton.task_execution t join baton.task_execution_step s using (tenant_id, task_id) where t.task_id = '${taskId}'`,
    );
    return row?.ms ?? Number.NaN;
  };

  it("that are committed: the task runs to completion", async () => {
    const { ended, printed } = await place("a-1");
    expect(ended, printed).toBe(0);
    expect(await startDelay(printed)).toBeLessThan(10_000);
    const orders = await stack.database.read("select number, task_id::text from public.orders");
    expect(orders).toEqual([{ number: "a-1", task_id: printed }]);
  });

  it("that are rolled back at COMMIT: no task is left, and none runs", async () => {
    const before = await taskIds();
    const { ended, printed } = await place("a-1");
    // unique_violation, as the driver tells it.
    expect([ended, printed]).toEqual([1, "23505"]);
    expect(await taskIds()).toEqual(before);
  });

  it("whose process dies right after COMMIT: the task is started within 10 s", async () => {
    const { ended, printed } = await place("a-2", true);
    expect(ended).toBe("SIGKILL");
    expect(await taskIds()).toContain(printed);
    expect(await startDelay(printed)).toBeLessThan(10_000);
  });

  it("created while the one that listens is cut off: a pump finds the task", async () => {
    const client = new pg.Client({ connectionString: shopUrl });
    await client.connect();
    await client.query("begin");
    const { id } = await stack.client.createTask(
      { plan: { steps: [{ id: "now", type: "tool", tool: "clock.now" }] } },
      { tx: client },
    );
    await stack.database.execute(
      "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name like '%-listen'",
    );
    await client.query("commit");
    await client.end();
    expect(await startDelay(id)).toBeLessThan(10_000);
  });
});
