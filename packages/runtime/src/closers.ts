/** What was opened, to be closed in the reverse order; trouble on the way is logged, never thrown. */
import type { LogPort } from "@baton/core/ports";

export interface Closers {
  add(part: string, close: () => Promise<void>): void;
  closeAll(): Promise<void>;
}

export function createClosers(log: LogPort): Closers {
  const opened: { readonly part: string; readonly close: () => Promise<void> }[] = [];
  return {
    add: (part, close) => void opened.push({ part, close }),
    async closeAll() {
      for (const { part, close } of opened.splice(0).reverse()) {
        await close().catch((error: unknown) => log.warn("close-failed", { part, error }));
      }
    },
  };
}
