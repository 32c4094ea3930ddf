/** A half-open connection answers no goodbye; only its socket can be dropped. */
import type pg from "pg";

export function dropConnection(client: pg.Client): void {
  (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
}
