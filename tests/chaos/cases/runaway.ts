/**
 * Parallel children of one task share its budget while their workers are killed, and an agent never stops by itself: at
 * no moment is more settled and reserved than the cap, and what the provider was really asked for stays below it.
 */
import { setTimeout as delay } from "node:timers/promises";
import { agentDefinition } from "@baton/core/agent";
import { defaultTenantId } from "@baton/core";
import type { PlanSpec } from "@baton/core/plan";
import { type ModelServer, startModelServer } from "@baton/testing/model-server";
import { until } from "../../stack/program.ts";
import { backends, newId } from "../../stack/stack.ts";
import type { ChaosCase } from "../harness/case.ts";
import { postTask } from "../harness/post-task.ts";
import type { World } from "../harness/world.ts";

/** As the provider charges each call of a child: below what is reserved for it, so that nothing overruns. */
const charged = { inputTokens: 60, outputTokens: 150 };
const chargedTokens = charged.inputTokens + charged.outputTokens;
const answerMs = 700;
/** Not enough for all children, and enough for some, however many calls are lost with their workers. */
const capFor = (children: number): number => Math.floor(children * 0.86) * chargedTokens;
const agentCalls = 12;

const childrenPlan = (count: number): PlanSpec => ({
  steps: Array.from({ length: count }, (_, no) => ({
    id: `child-${no}`,
    type: "llm",
    prompt: "Think.",
    max_output_tokens: charged.outputTokens,
  })),
});

const endless = agentDefinition.parse({
  name: "endless",
  description: "Looks at the clock again and again.",
  instructions: "You look at the clock.",
  tools: ["clock.now"],
  limits: { turns: 1_000, tool_calls: 10_000 },
});

async function startModel(): Promise<ModelServer> {
  return await startModelServer({
    handler: ({ body }) =>
      body["tools"] === undefined
        ? { text: "A thought.", usage: charged, delayMs: answerMs }
        : { text: "Once more.", toolCalls: [{ name: "clock_now", input: {} }], delayMs: answerMs / 10 },
  });
}

const callsOf = ({ requests }: ModelServer, ofAgent: boolean) =>
  requests.filter(({ path, body }) => path === "/v1/messages" && (body["tools"] !== undefined) === ofAgent);

/** Looks at a task's budget until told to stop; tells every moment at which it was overspent. */
function watch(
  { stack }: World,
  taskId: string,
  cap: () => { readonly tokens?: number; readonly modelCalls?: number },
) {
  const findings: string[] = [];
  let looks = 0;
  let isOver = false;
  const watching = (async () => {
    while (!isOver) {
      const limit = cap();
      const row = await stack.store.readTaskBudget({ tenantId: defaultTenantId, taskId });
      looks += 1;
      if (row === undefined) continue;
      const tokens = row.settled.tokens + row.reserved.tokens;
      const calls = row.settled.modelCalls + row.reserved.modelCalls;
      if (tokens > (limit.tokens ?? tokens)) findings.push(`${tokens} tokens of ${limit.tokens}`);
      if (calls > (limit.modelCalls ?? calls)) findings.push(`${calls} model calls of ${limit.modelCalls}`);
      await delay(5);
    }
  })();
  return {
    async end() {
      isOver = true;
      await watching;
      if (looks < 10) findings.push(`the budget of ${taskId} was looked at ${looks} times only`);
      return findings;
    },
  };
}

export const runaway: ChaosCase<{ children: number; kills: number }> = {
  id: "runaway",
  backends,
  claims:
    "20 parallel children under one budget while workers are killed, and an agent that never stops: settled and reserved never pass the cap, nor does what the provider was asked for",
  scale: { t: { children: 20, kills: 2 }, l: { children: 100, kills: 6 } },
  seconds: { t: 20, l: 90 },
  world: { workers: 0, slots: 4, apiEnv: { ANTHROPIC_API_KEY: "test" } },
  async run(world, { children, kills }) {
    const model = await startModel();
    const { stack } = world;
    const env = { ANTHROPIC_API_KEY: "test", ANTHROPIC_BASE_URL: model.url };
    const watches: ReturnType<typeof watch>[] = [];
    try {
      await Promise.all([world.startWorker({ env }), world.startWorker({ env })]);
      let cap = capFor(children);
      const budget = { tokens: cap, onBreach: "ask" };
      const plan = childrenPlan(children);
      const taskId = await postTask(stack, { plan, settings: { budget } }, newId());
      world.expectTask(taskId, { state: "blocked", stepCount: children });
      const loop: PlanSpec = { steps: [{ id: "loop", type: "agent", agent: endless, prompt: "Look at the clock." }] };
      const agentId = await postTask(stack, { plan: loop, settings: { budget: { modelCalls: agentCalls } } }, newId());
      world.expectTask(agentId, { state: "failed", stepCount: 1 });
      watches.push(watch(world, taskId, () => ({ tokens: cap })));
      watches.push(watch(world, agentId, () => ({ modelCalls: agentCalls })));
      const isHeld = async () => (await stack.client.getTask(taskId)).state === "blocked";
      for (let count = 0; count < kills; count++) {
        const before = model.requests.length;
        // On a slow machine the budget may be used up before a worker is back.
        const isAsked = async () => model.requests.length > before || (await isHeld());
        await until("models are asked, or the budget is used up", isAsked, undefined, 30_000);
        const [victim] = world.random.shuffle(world.running());
        if (victim !== undefined) await world.kill(victim);
        await world.startWorker({ env });
      }
      await world.untilAllSettled([taskId, agentId]);

      const ref = { tenantId: defaultTenantId, taskId };
      const isFree = async () => (await stack.store.readTaskBudget(ref))?.reserved.tokens === 0;
      await until("what dead attempts had reserved is charged", isFree, undefined, 30_000);
      const asked = callsOf(model, false).length * chargedTokens;
      if (asked > cap) throw new Error(`The provider charged ${asked} tokens, the cap is ${cap}.`);
      const ofAgent = callsOf(model, true).length;
      if (ofAgent > agentCalls) throw new Error(`The agent asked ${ofAgent} times, its budget allows ${agentCalls}.`);
      const held = await stack.store.listTaskSteps(ref, { limit: children });
      const completed = held.filter(({ state }) => state === "completed").length;
      if (completed === 0 || completed === children) throw new Error(`${completed} of ${children} children completed.`);

      // A person raises the cap, and the children that were held go on by themselves.
      cap = children * 10 * chargedTokens;
      await stack.client.changeTaskBudget(taskId, { tokens: cap });
      world.expectTask(taskId, { state: "completed", stepCount: children });
      await world.untilAllSettled([taskId]);
      const findings = (await Promise.all(watches.map((each) => each.end()))).flat();
      if (findings.length > 0) throw new Error(findings.join("\n"));
    } finally {
      await Promise.all(watches.map((each) => each.end()));
      await model.close();
    }
  },
};
