/**
 * A worker of your own, with your tools compiled in: as many of these processes as you like, next to any api.
 * DATABASE_URL (and REDIS_URL, when the api has one) say where.
 */
import { createWorker } from "@baton/worker";
import { placeOrder } from "./tools/orders.ts";
import { findStock } from "./tools/stock.ts";

const worker = await createWorker({ tools: [findStock, placeOrder] });
console.log(`worker up: ${worker.url}`);
