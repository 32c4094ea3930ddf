/**
 * Starts tasks.
 *
 * 1. Everything is checked before the first write: models, tools, mentions, servers, the plan's graph.
 * 2. A task is durable before its first model call.
 */
import type { Mention, Routes } from "@baton/contracts";
import { BatonError } from "@baton/core";
import type { TaskRef } from "@baton/core";
import { type AgentDefinition, agentDefinition, reachableAgents } from "@baton/core/agent";
import { bucketOf, buckets, taskState } from "@baton/core/lifecycle";
import type { Bucket, TaskState } from "@baton/core/lifecycle";
import type { ModelRef, PlanSpec } from "@baton/core/plan";
import type { NewTrace } from "@baton/core/ports";
import { firstStep, layOutTask, replyWithTools, taskSettings } from "@baton/core/task";
import type { NewTask, TaskSettings, TaskSettingsInput } from "@baton/core/task";
import type { CreateTask, IdempotencyRef } from "@baton/store";
import type { z } from "zod";
import type { Principal } from "../access/api-key.ts";
import type { ApiDeps } from "../deps.ts";
import { type AllowedServers, readToolChoice, refuse, type ToolChoice } from "./tool-choice.ts";
import { present } from "./wire.ts";

export interface Capabilities {
  readonly chatModel?: ModelRef | undefined;
  readonly mentions?: readonly Mention[] | undefined;
  readonly allowedMcpServers?: AllowedServers | undefined;
  readonly approvals?: TaskSettingsInput["approvals"];
  readonly workspace?: string | undefined;
}

/** Runs a check of a catalogue and points its error at the field. */
function at<T>(pointer: string, check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof BatonError) || error.problems.length > 0) throw error;
    throw new BatonError(error.code, error.message, { cause: error, problems: [{ pointer, detail: error.message }] });
  }
}

/** Each step keeps its agent whole: without an end, a small request would make a large task. */
const maxAgentChars = 33_554_432;

interface KnownAgent {
  readonly definition: AgentDefinition;
  readonly chars: number;
}

export type CreateTaskBody = z.output<Routes["createTask"]["body"]>;

export class TaskCreation {
  readonly #deps: ApiDeps;

  constructor(deps: ApiDeps) {
    this.#deps = deps;
  }

  /** The settings of a task: its own, then the process's, then the defaults. */
  #settings(own: TaskSettingsInput, pointer: string, choice: ToolChoice): TaskSettings {
    const settings = taskSettings.parse({ ...this.#deps.taskDefaults, ...own });
    const { budget, model, tools } = settings;
    const onBreach = budget?.onBreach;
    if (typeof onBreach === "object")
      at(`${pointer}/budget/onBreach/model`, () => this.#deps.models.resolve(onBreach.model));
    const resolved =
      model === undefined ? {} : { model: at(`${pointer}/model`, () => this.#deps.models.resolve(model)) };
    this.#checkFallbacks(settings.fallbackModels ?? [], `${pointer}/fallbackModels`);
    for (const [index, name] of (tools ?? []).entries()) choice.check(name, `${pointer}/tools/${index}`);
    return { ...settings, ...resolved };
  }

  /** @throws BatonError unknown-model, unknown-tool or tool-disabled, naming the field of a body that names them at its top */
  async settingsNamed(own: Pick<TaskSettingsInput, "model" | "tools">): Promise<TaskSettings> {
    return this.#settings(own, "", await readToolChoice(this.#deps));
  }

  /** @throws BatonError unknown-model, unknown-mention, unknown-mcp-server, unknown-tool or tool-disabled */
  async settingsOf(capabilities: Capabilities): Promise<TaskSettings> {
    const { chatModel, mentions, allowedMcpServers, approvals, workspace } = capabilities;
    const choice = await readToolChoice(this.#deps);
    const model =
      chatModel === undefined ? {} : { model: at("/chatModel", () => this.#deps.models.resolve(chatModel)) };
    const mentioned = choice.mentioned(mentions ?? []);
    const allowed = choice.ofAllowedServers(allowedMcpServers);
    const bound =
      mentioned === undefined || allowed === undefined
        ? (mentioned ?? allowed)
        : mentioned.filter((name) => allowed.includes(name));
    const tools = bound === undefined ? {} : { tools: [...bound] };
    return this.#settings({ ...model, ...tools, ...present({ approvals, workspace }) }, "", choice);
  }

  /** A goal or an explicit plan, as POSTed. */
  async fromBody(
    principal: Principal,
    body: CreateTaskBody,
    idempotency: IdempotencyRef | undefined,
  ): Promise<CreatedTask> {
    const choice = await readToolChoice(this.#deps);
    const settings = this.#settings(body.settings ?? {}, "/settings", choice);
    const plan = body.plan === undefined ? undefined : await this.#withAgents(principal.tenantId, body.plan, choice);
    if (plan !== undefined) this.#checkModels(plan);
    const { known, disabled: disabledTools } = choice;
    const knownTools = settings.tools === undefined ? known : new Set(settings.tools);
    const task = layOutTask({ ...body, plan }, { settings, knownTools, disabledTools, newId: this.#deps.newId });
    return this.#create(task, { principal, idempotency, traces: [] });
  }

  /** The plan with the agents that it names, and those that they may call, as they are defined now. */
  async #withAgents(tenantId: string, plan: PlanSpec, choice: ToolChoice): Promise<PlanSpec> {
    const known = new Map<string, KnownAgent>();
    const find = async (name: string, pointer: string): Promise<KnownAgent> => {
      const found = known.get(name);
      if (found !== undefined) return found;
      const definition = choice.expanded(await this.#agent(tenantId, name, pointer), pointer);
      const agent = { definition, chars: JSON.stringify(definition).length };
      known.set(name, agent);
      return agent;
    };
    const steps: PlanSpec["steps"] = [];
    let chars = 0;
    for (const [index, step] of plan.steps.entries()) {
      if (step.type !== "agent") {
        steps.push(step);
        continue;
      }
      const pointer = `/plan/steps/${index}/agent`;
      const count = (agent: KnownAgent): AgentDefinition => {
        chars += agent.chars;
        if (chars <= maxAgentChars) return agent.definition;
        const detail = `The agents that the plan names have more than ${maxAgentChars} characters together, counted at each step. Split the plan.`;
        return refuse("payload-too-large", pointer, detail);
      };
      const agent =
        typeof step.agent === "string" ? count(await find(step.agent, pointer)) : choice.expanded(step.agent, pointer);
      const given = (step.agents ?? []).map((each, at) => choice.expanded(each, `${pointer}s/${at}`));
      const defined = new Map(given.map((each) => [each.name, each]));
      let reach = reachableAgents(agent, defined);
      while (reach.missing.length > 0) {
        for (const name of reach.missing) defined.set(name, count(await find(name, pointer)));
        reach = reachableAgents(agent, defined);
      }
      steps.push({ ...step, agent, ...(reach.reached.length > 0 && { agents: [...reach.reached] }) });
    }
    return { ...plan, steps };
  }

  /** The tenant's own goes before the installation's. */
  async #agent(tenantId: string, name: string, pointer: string): Promise<AgentDefinition> {
    const own = await this.#deps.store.findAgent({ tenantId, name });
    if (own !== undefined) return agentDefinition.parse({ ...(own.definition as object), version: own.version });
    try {
      const found = await this.#deps.agents?.find(name);
      if (found !== undefined) return found.definition;
    } catch (error) {
      if (!(error instanceof BatonError)) throw error;
      refuse("unknown-agent", pointer, `The agent "${name}" cannot be used: ${error.message}`);
    }
    const fix =
      this.#deps.agents === undefined ? "no agents folder is set (BATON_AGENTS)" : "its folder has no such file";
    const ways = `PUT /api/v1/agents/${name} creates it, or hand its definition over`;
    return refuse("unknown-agent", pointer, `There is no agent "${name}": ${fix}. ${ways}.`);
  }

  #checkModels(plan: PlanSpec): void {
    for (const [index, step] of plan.steps.entries()) {
      for (const [place, { model }] of (step.type === "agent" ? (step.agents ?? []) : []).entries())
        if (model !== undefined)
          at(`/plan/steps/${index}/agents/${place}/model`, () => this.#deps.models.resolve(model));
      const [inner, place] = step.type === "map" ? [step.step, "/step"] : [step, ""];
      const [named, field] =
        inner.type === "agent" && typeof inner.agent !== "string"
          ? [inner.agent, "/agent"]
          : inner.type === "llm"
            ? [inner, ""]
            : [{}, ""];
      const pointer = `/plan/steps/${index}${place}${field}`;
      const { model, fallback_models: fallbacks } = named;
      if (model !== undefined) at(`${pointer}/model`, () => this.#deps.models.resolve(model));
      this.#checkFallbacks(fallbacks ?? [], `${pointer}/fallback_models`);
    }
  }

  #checkFallbacks(refs: readonly ModelRef[], pointer: string): void {
    const offline = this.#deps.models.list().filter(({ offline: isOffline }) => isOffline);
    for (const [index, ref] of refs.entries()) {
      const { provider, model } = at(`${pointer}/${index}`, () => this.#deps.models.resolve(ref));
      if (offline.some(({ ref: each }) => each.provider === provider && each.model === model))
        refuse(
          "unknown-model",
          `${pointer}/${index}`,
          "The offline model takes no language model's place. Leave it out.",
        );
    }
  }

  async goal(intent: Intent): Promise<CreatedTask> {
    const { goal, input, settings, threadId } = intent;
    return this.#create(layOutTask({ goal, input, threadId }, { settings, newId: this.#deps.newId }), intent);
  }

  async reply({ goal, input = null, settings, threadId, tools, ...intent }: ReplyIntent): Promise<CreatedTask> {
    const { newId } = this.#deps;
    const steps = [
      tools === undefined
        ? firstStep("reply", settings, newId)
        : replyWithTools({ message: goal, tools }, settings, newId),
    ];
    return this.#create({ kind: "reply", goal, input, settings, steps, ...present({ threadId }) }, intent);
  }

  async #create(
    layout: NewTask,
    {
      principal,
      traces,
      idempotency,
      waitsForThread,
    }: Pick<Intent, "principal" | "traces" | "idempotency" | "waitsForThread">,
  ): Promise<CreatedTask> {
    const task: CreateTask = {
      ...layout,
      tenantId: principal.tenantId,
      taskId: this.#deps.newId(),
      traces,
      createdBy: principal.keyId,
      ...present({ idempotency, waitsForThread }),
    };
    await this.#deps.store.createTask(task);
    return { ...task, state: firstState(layout) };
  }
}

export interface CreatedTask extends CreateTask {
  /** When it was created; a worker may have moved it on. */
  readonly state: TaskState;
}

/** As the store counts new steps: those that wait for nothing are ready. */
function firstState({ steps }: NewTask): TaskState {
  const counters = Object.fromEntries(buckets.map((bucket) => [bucket, 0])) as Record<Bucket, number>;
  for (const { kind, dependsOn, onExhausted } of steps) {
    const state = dependsOn.length === 0 ? "ready" : "pending";
    counters[bucketOf({ kind, state, onExhausted, dispatched: false, backingOff: false })] += 1;
  }
  return taskState("none", { ...counters, claimed: 0 });
}

export interface Intent {
  readonly principal: Principal;
  readonly goal: string;
  readonly input?: unknown;
  readonly settings: TaskSettings;
  readonly threadId?: string | undefined;
  readonly traces: readonly NewTrace[];
  readonly idempotency: IdempotencyRef | undefined;
  /** Behind the live tasks of its thread. */
  readonly waitsForThread?: boolean;
}

interface ReplyIntent extends Intent {
  /** Names of what it may call; at least one. */
  readonly tools?: readonly string[];
}

export const refOf = (principal: Principal, taskId: string): TaskRef => ({ tenantId: principal.tenantId, taskId });
