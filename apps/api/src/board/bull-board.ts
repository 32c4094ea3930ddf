/** Bull Board as a router. */
import { createBullBoard } from "@bull-board/api";
import { BullMQAdapter } from "@bull-board/api/bullMQAdapter";
import { HonoAdapter } from "@bull-board/hono";
import { serveStatic } from "@hono/node-server/serve-static";
import { Hono } from "hono";
import { boardPath } from "./access.ts";

type BullQueue = ConstructorParameters<typeof BullMQAdapter>[0];

export function createBoard(queues: readonly unknown[], readOnlyMode: boolean): Hono {
  const serverAdapter = new HonoAdapter(serveStatic);
  serverAdapter.setBasePath(boardPath);
  createBullBoard({
    queues: queues.map((queue) => new BullMQAdapter(queue as BullQueue, { readOnlyMode })),
    serverAdapter,
    options: { uiConfig: { boardTitle: readOnlyMode ? "Baton (read-only)" : "Baton" } },
  });
  return new Hono().route(boardPath, serverAdapter.registerPlugin());
}
