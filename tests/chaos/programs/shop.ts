/**
 * A service with orders of its own in Baton's database: places one order with its task, and dies without a further word.
 *
 * ENDING: `dies` right after COMMIT, `rolls-back` before it dies.
 */
import { createClient } from "@baton/client";
import pg from "pg";

const { BATON_URL = "", BATON_API_KEY, SHOP_DATABASE_URL, ORDER, PLAN = "{}", ENDING } = process.env;
const baton = createClient({ baseUrl: BATON_URL, apiKey: BATON_API_KEY });
const tx = new pg.Client({ connectionString: SHOP_DATABASE_URL });
await tx.connect();
await tx.query("begin");
const { id } = await baton.createTask({ plan: JSON.parse(PLAN) as never }, { tx });
await tx.query("insert into public.orders (number, task_id) values ($1, $2)", [ORDER, id]);
await tx.query(ENDING === "dies" ? "commit" : "rollback");
process.kill(process.pid, "SIGKILL");
