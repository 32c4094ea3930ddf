import { defaultTenantId } from "@baton/core";
import { afterAll, beforeAll, expect, inject, it } from "vitest";
import { createInstallation } from "./installation.ts";
import type { Installation } from "./installation.ts";

const called = {
  purpose: "decide",
  model: { provider: "anthropic", model: "m" },
  offline: false,
  inputTokens: 90,
  outputTokens: 11,
  estimated: false,
  costUsd: 0.5,
  durationMs: 3,
};

let installation: Installation;
beforeAll(async () => {
  installation = await createInstallation(inject("postgresUrl"), {
    decide: async (message) => {
      const decision = {
        orchestrate: message.includes("every"),
        confidence: 0.9,
        reasons: ["said so"],
        offline: false,
      };
      return {
        ...decision,
        traces: [
          { type: "model-called", data: called },
          { type: "orchestration-decided", data: decision },
        ],
      };
    },
  });
});
afterAll(() => installation?.close());

it.each([
  ["that becomes a task", "read every page"],
  ["that is answered at once", "hello"],
])("a message %s keeps the call that decided about it, with its tokens", async (claim, text) => {
  const answer = await installation.call("POST", "/api/chat", {
    body: { id: claim, message: { role: "user", parts: [{ type: "text", text }] } },
  });
  await answer.body?.cancel();
  const [task] = await installation.store.listTasks({ tenantId: defaultTenantId, threadId: claim, limit: 1 });
  if (task === undefined) throw new Error("there is no task");
  expect(task).toMatchObject({ inputTokens: 90, outputTokens: 11, costUsd: 0.5 });
  const traces = await installation.store.listTaskTraces(task, { limit: 10 });
  const rows = traces.filter(({ type }) => type === "model-called" || type === "orchestration-decided");
  expect(rows.map(({ type, data }) => [type, data])).toMatchObject([
    ["model-called", called],
    ["orchestration-decided", { reasons: ["said so"] }],
  ]);
});
