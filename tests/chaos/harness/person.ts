/**
 * A person who looks after what only a person may decide: reads why a task is blocked, looks up at the payment service
 * what its call in doubt did, and says so.
 *
 * 1. Knows nothing but what the api and the service tell.
 * 2. A blocked task that does not say why, with the call, is a finding.
 */
import { setTimeout as delay } from "node:timers/promises";
import { BatonClientError } from "@baton/client";
import type { Payments } from "./payments.ts";
import type { World } from "./world.ts";

export interface Person {
  /** Tasks that are left alone. */
  readonly ignored: Set<string>;
  readonly findings: readonly string[];
  /** By idempotency key: how often the person said that the call did not take place. */
  readonly notDone: ReadonlyMap<string, number>;
  readonly happened: ReadonlySet<string>;
  /** Rejects when the person cannot go on. */
  readonly working: Promise<void>;
  leave(): Promise<void>;
}

const roundMs = 200;

export function startPerson({ stack }: Pick<World, "stack">, payments: Payments): Person {
  const { client } = stack;
  const ignored = new Set<string>();
  const findings: string[] = [];
  const notDone = new Map<string, number>();
  const happened = new Set<string>();
  let isHere = true;

  async function lookAfter(taskId: string): Promise<void> {
    for await (const call of client.effects(taskId)) {
      if (!call.inDoubt || call.stepState !== "failed") continue;
      const { stepId, callNo, attemptNo, idempotencyKey, tool } = call;
      const { waits } = await client.request("whyTask", { params: { id: taskId } });
      const told = waits.find((wait) => wait.on === "person" && wait.stepId === stepId)?.detail ?? "nothing";
      if (!told.includes(tool) || !told.includes(idempotencyKey))
        findings.push(`task ${taskId} does not say why it is blocked; asked, it told: ${told}`);
      const [receipt] = await payments.receipts(idempotencyKey);
      const why = { attemptNo, reason: "looked up at the payment service" };
      await client.resolveEffect(
        { taskId, stepId, callNo },
        receipt === undefined ? { ...why, outcome: "not-done" } : { ...why, outcome: "succeeded", result: { receipt } },
      );
      if (receipt === undefined) notDone.set(idempotencyKey, (notDone.get(idempotencyKey) ?? 0) + 1);
      else happened.add(idempotencyKey);
    }
  }

  async function work(): Promise<void> {
    while (isHere) {
      for await (const { id } of client.tasks({ state: ["blocked"] })) {
        if (ignored.has(id)) continue;
        await lookAfter(id).catch((error: unknown) => {
          // It has moved on while the person was looking it up.
          if (!(error instanceof BatonClientError && error.code === "illegal-transition")) throw error;
        });
      }
      // Steps that were unlucky in three workers: nothing is wrong with them.
      await client.retryDeadLetters({ code: "worker-crash", reason: "the workers were killed on purpose" });
      await delay(roundMs);
    }
  }
  const working = work();
  working.catch(() => undefined);
  return {
    ignored,
    findings,
    notDone,
    happened,
    working,
    async leave() {
      isHere = false;
      await working;
    },
  };
}
