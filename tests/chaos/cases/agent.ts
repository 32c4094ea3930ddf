/**
 * An agent of twelve turns and twenty tool calls dies with its worker at every boundary and in the middle of every call:
 * another worker goes on exactly where its journal ends.
 *
 * Each place has an agent and a worker of its own, which takes from a pool of its own; nobody else takes anything over
 * until the whole round has died, so that what was kept at that moment can be read.
 */
import { defaultTenantId } from "@baton/core";
import type { FailPoint } from "@baton/core/ports";
import { until } from "../../stack/program.ts";
import { backends, type Worker } from "../../stack/stack.ts";
import { type AgentModel, agentPlan, answerFor, callCount, startAgentModel, turnCount } from "../harness/agents.ts";
import type { ChaosCase } from "../harness/case.ts";
import type { World } from "../harness/world.ts";

interface Place {
  /** "in-model-call": while its model answers; killed from outside. */
  readonly at: FailPoint | "in-model-call";
  readonly nth: number;
}

const numbered = (at: Place["at"], count: number): readonly Place[] =>
  Array.from({ length: count }, (_, index) => ({ at, nth: index + 1 }));

const kinds: readonly (readonly Place[])[] = [
  numbered("in-model-call", turnCount),
  numbered("after-model-reply", turnCount),
  numbered("before-effect", callCount),
  numbered("after-effect", callCount),
  // Before each turn, before the calls of each turn but the last, and before the end.
  numbered("before-move", 2 * turnCount),
];
const everyPlace = kinds.flat();

/** So many side by side: their workers start together. */
const perRound = 8;

interface Doomed {
  readonly place: Place;
  readonly word: string;
  readonly taskId: string;
  /** Calls that the journal had when the worker died. */
  readonly kept: readonly { readonly callNo: number; readonly tool: string; readonly key: string }[];
}

const isInModelCall = ({ at }: Place): boolean => at === "in-model-call" || at === "after-model-reply";

/** Places of every kind, however few. */
function chosen({ random }: World, count: number): readonly Place[] {
  const shuffled = kinds.map((kind) => random.shuffle(kind));
  const inTurn = Array.from({ length: everyPlace.length }, (_, at) =>
    shuffled.flatMap((kind) => kind.slice(at, at + 1)),
  );
  return inTurn.flat().slice(0, count);
}

async function dieAt(world: World, model: AgentModel, place: Place, pool: string): Promise<Doomed> {
  const word = `${place.at}-${place.nth}`;
  const env = { ...model.env, BATON_POOLS: pool };
  const inCall = place.at === "in-model-call";
  const worker: Worker = await world.launchWorker(
    inCall ? { env } : { env, failPoints: [{ at: place.at as FailPoint, nth: place.nth, signal: "SIGKILL" }] },
  );
  if (inCall) model.holdOnce(word, place.nth, () => worker.kill("SIGKILL"));
  const [taskId = ""] = await world.createTasks(1, () => agentPlan(word, pool));
  await until(`a worker dies ${word}`, async () => worker.process.signalCode === "SIGKILL", worker, 120_000);
  // Of two calls of one turn both may have taken place.
  world.faults.record("kill in an agent", word, place.at.endsWith("-effect") ? 2 : 0);
  return { place, word, taskId, kept: await keptCalls(world, taskId) };
}

async function keptCalls({ stack }: World, taskId: string): Promise<Doomed["kept"]> {
  const calls = await stack.store.listEffects({ tenantId: defaultTenantId, taskId }, { limit: 100 });
  return calls
    .filter(({ state }) => state === "succeeded")
    .map(({ callNo, tool, idempotencyKey }) => ({ callNo, tool, key: idempotencyKey }));
}

/** What is not as promised of an agent that has finished. */
async function judge(world: World, model: AgentModel, doomed: Doomed): Promise<readonly string[]> {
  const { place, word, taskId, kept } = doomed;
  const { store, database } = world.stack;
  const ref = { tenantId: defaultTenantId, taskId };
  const found: string[] = [];
  const expect = (what: string, is: unknown, expected: unknown): void => {
    if (is !== expected) found.push(`killed ${word}: ${what} is ${String(is)}, expected ${String(expected)}`);
  };
  const [step] = await store.listTaskSteps(ref, { limit: 1 });
  expect("the answer", step?.output, answerFor(word));
  expect("the number of attempts", step?.attemptNo, 2);
  expect("the number of kept calls", (await keptCalls(world, taskId)).length, turnCount + callCount);
  const [traces] = await database.read<{ turns: number; calls: number; lost: number }>(
    `select count(*) filter (where type = 'model-called')::int as turns, count(*) filter (where type = 'tool-called')::int as calls,
       count(*) filter (where type = 'model-call-lost')::int as lost
     from baton.task_execution_trace where task_id = $1`,
    [taskId],
  );
  expect("the number of model calls in the account", traces?.turns, turnCount);
  expect("the number of tool calls in the account", traces?.calls, callCount);
  expect("the number of lost calls", traces?.lost, isInModelCall(place) ? 1 : 0);

  const asked = model.asked(word);
  const keptTurns = kept.filter(({ tool }) => tool === "model/turn").length;
  for (let turn = 1; turn <= turnCount; turn++) {
    const isLost = isInModelCall(place) && turn === keptTurns + 1;
    expect(`the number of requests for turn ${turn}`, asked.get(turn), isLost ? 2 : 1);
  }
  const effects = (await world.sink.effects()).filter((effect) => effect.taskId === taskId);
  const byKey = Map.groupBy(effects, ({ idempotencyKey }) => idempotencyKey);
  expect("the number of effects", byKey.size, callCount);
  for (const { key, tool } of kept) {
    if (tool === "chaos.effect")
      expect(`the number of times that the kept call ${key} was made`, byKey.get(key)?.length, 1);
  }
  return found;
}

export const agent: ChaosCase<{ places: number }> = {
  id: "agent",
  backends,
  claims:
    "an agent of 12 turns and 20 tool calls whose worker dies at any boundary or in any call ends alike; no kept call is made again, and only model calls cut in the middle are lost",
  scale: { t: { places: 5 }, l: { places: everyPlace.length } },
  seconds: { t: 20, l: 150 },
  // The api only looks whether there is a key; it calls no model of a plan.
  world: { workers: 0, slots: 2, apiEnv: { ANTHROPIC_API_KEY: "test" } },
  async run(world, { places }) {
    const model = await startAgentModel();
    try {
      const left = [...chosen(world, places)];
      const found: string[] = [];
      while (left.length > 0) {
        const round = left.splice(0, perRound).map((place, at) => ({ place, pool: `agents-${at}` }));
        const doomed = await Promise.all(round.map(({ place, pool }) => dieAt(world, model, place, pool)));
        const pools = ["default", ...round.map(({ pool }) => pool)].join(",");
        const heir = await world.startWorker({ env: { ...model.env, BATON_POOLS: pools } });
        await world.untilAllSettled(doomed.map(({ taskId }) => taskId));
        for (const each of doomed) found.push(...(await judge(world, model, each)));
        if (left.length === 0) continue;
        heir.kill("SIGTERM");
        await heir.exited;
      }
      if (found.length > 0) throw new Error(found.join("\n"));
    } finally {
      await model.close();
    }
  },
};
