/**
 * Bull Board twice over the same queues: read-only, and with its buttons.
 *
 * It is loaded when somebody looks for the first time: few processes are ever asked for it.
 */
import type { Boards } from "../deps.ts";

/** `queues` are BullMQ's own objects, from packages/queue. */
export function createBoards(queues: readonly unknown[]): Boards {
  return { readOnly: boardAtFirstLook(queues, true), full: boardAtFirstLook(queues, false) };
}

function boardAtFirstLook(queues: readonly unknown[], readOnlyMode: boolean): Boards["full"] {
  let loading: Promise<Boards["full"]> | undefined;
  const load = async () => (await import("./bull-board.ts")).createBoard(queues, readOnlyMode);
  return {
    fetch: async (request) => {
      loading ??= load();
      return (await loading).fetch(request);
    },
  };
}
