/** What a POST answers is not read back: it must be what the row says, and say it of every kind of task. */
import { afterAll, beforeAll, expect, inject, it } from "vitest";
import { createInstallation } from "./installation.ts";
import type { Installation } from "./installation.ts";

let at: Installation;
// Nothing performs steps here, so every task stays as it was created.
beforeAll(async () => {
  at = await createInstallation(inject("postgresUrl"));
});
afterAll(() => at?.close());

const held = { type: "checkpoint", on_exhausted: "hold" } as const;

it.each([
  ["a goal", { goal: "Compare three suppliers" }],
  ["a plan", { plan: { steps: [{ id: "a", type: "checkpoint" }] } }],
  [
    "a plan with successors",
    {
      plan: {
        steps: [
          { id: "a", ...held },
          { id: "b", ...held, depends_on: ["a"] },
        ],
      },
    },
  ],
] as const)("%s answers the kind and the state of its row", async (_name, body) => {
  const answer = await at.call("POST", "/api/v1/tasks", { body });
  expect(answer.status).toBe(202);
  const created = (await answer.json()) as { id: string; kind: string; state: string };
  const { kind, state } = await at.client.request("getTask", { params: { id: created.id } });
  expect({ kind: created.kind, state: created.state }).toEqual({ kind, state });
});
