/** Plain SQL for tests, over the connection that BullMQ itself would use. */
import { PostgresConnection } from "bullmq";

export async function query(url: string, text: string): Promise<readonly Record<string, unknown>[]> {
  const connection = new PostgresConnection({ connectionString: url, max: 1 });
  try {
    return (await connection.pool.query<Record<string, unknown>>(text)).rows;
  } finally {
    await connection.close();
  }
}
