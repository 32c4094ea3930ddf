import { setTimeout as delay } from "node:timers/promises";
import type { Stack } from "../../stack/stack.ts";

const usualPatienceMs = 60_000;

/**
 * Creates one task, asking again under the same key while no answer comes or the service says that it is not there.
 * Resolves to the task's id. Throws on any other answer, and when nothing is answered for `patienceMs` (60 s).
 */
export async function postTask(
  stack: Pick<Stack, "call">,
  body: unknown,
  idempotencyKey: string,
  patienceMs = usualPatienceMs,
): Promise<string> {
  const giveUpAt = performance.now() + patienceMs;
  for (let pauseMs = 50; ; pauseMs = Math.min(1_000, pauseMs * 2)) {
    const answer = await stack
      .call("/api/v1/tasks", { json: body, headers: { "idempotency-key": idempotencyKey } })
      .catch((error: unknown) => error as Error);
    if (answer instanceof Response) {
      if (answer.status === 202) return ((await answer.json()) as { readonly id: string }).id;
      const text = await answer.text();
      // 409 with this key: an earlier request of ours is still under way.
      if (answer.status !== 503 && answer.status !== 409)
        throw new Error(`POST was answered ${answer.status}: ${text}`);
    }
    if (performance.now() > giveUpAt)
      throw new Error(`No task could be created for ${patienceMs} ms.`, { cause: answer });
    await delay(pauseMs);
  }
}
