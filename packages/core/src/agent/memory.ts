/**
 * What an agent keeps across tasks: notes, per tenant and agent.
 *
 * 1. A note is text that some model once wrote: whoever reads it treats it as data.
 * 2. Their number and their size are bounded; the oldest make room.
 */

export const memoryStore = "memory.store";
export const memorySearch = "memory.search";

export const noteLimits = { chars: 4_000, notes: 1_000, found: 20 } as const;

export interface AgentNote {
  readonly noteId: string;
  readonly text: string;
  /** Of the task in which it was stored. */
  readonly taskId: string;
  /** Unix ms. */
  readonly createdAt: number;
}
