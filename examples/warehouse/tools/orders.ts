/**
 * A tool that changes something outside: an order is a file in ORDERS_FOLDER, named by the idempotency key.
 *
 * When a worker dies between the order and its record, nobody knows whether it happened. Then `reconcile` is asked, with
 * the key of the call in doubt, before anything is ordered a second time.
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { defineTool } from "@baton/tools";
import { z } from "zod";

const order = z.strictObject({ number: z.string(), articles: z.array(z.string()) });

const pathOf = (key: string): string => join(process.env["ORDERS_FOLDER"] ?? ".", `${key}.json`);

export const placeOrder = defineTool({
  name: "orders.place",
  description: "Orders articles from the supplier.",
  effect: "write",
  input: z.strictObject({ articles: z.array(z.string()).min(1) }),
  output: order,
  async execute({ articles }, call) {
    const placed = { number: `order-${call.idempotencyKey.slice(-8)}`, articles };
    call.progress(`ordering ${articles.join(", ")}`);
    // `wx`: the supplier refuses a second order under the same key.
    await writeFile(pathOf(call.idempotencyKey), JSON.stringify(placed), { flag: "wx" });
    return placed;
  },
  async reconcile(_input, call) {
    try {
      const text = await readFile(pathOf(call.idempotencyKey), "utf8");
      return { outcome: "done", output: order.parse(JSON.parse(text)) };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return { outcome: "not-done" };
      throw error;
    }
  },
});
