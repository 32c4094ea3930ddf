/**
 * Starts tasks.
 *
 * 1. Everything is checked before the first write: models, tools, mentions, servers, the plan's graph.
 * 2. A task is durable before its first model call.
 */
import type { Mention, Routes } from "@baton/contracts";
import { BatonError } from "@baton/core";
import type { ErrorCode, TaskRef } from "@baton/core";
import { type AgentDefinition, reachableAgents } from "@baton/core/agent";
import { bucketOf, buckets, taskState } from "@baton/core/lifecycle";
import type { Bucket, TaskState } from "@baton/core/lifecycle";
import type { ModelRef, PlanSpec } from "@baton/core/plan";
import type { NewTrace } from "@baton/core/ports";
import { firstStep, layOutTask, taskSettings } from "@baton/core/task";
import type { NewTask, TaskSettings, TaskSettingsInput } from "@baton/core/task";
import type { CreateTask, IdempotencyRef } from "@baton/store";
import type { z } from "zod";
import type { Principal } from "../access/api-key.ts";
import type { ApiDeps } from "../deps.ts";
import { present } from "./wire.ts";

export interface Capabilities {
  readonly chatModel?: ModelRef | undefined;
  readonly mentions?: readonly Mention[] | undefined;
  readonly allowedMcpServers?: Readonly<Record<string, { readonly tools: readonly string[] }>> | undefined;
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

function refuse(code: ErrorCode, pointer: string, detail: string): never {
  throw new BatonError(code, detail, { problems: [{ pointer, detail }] });
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
  #settings(own: TaskSettingsInput, pointer: string): TaskSettings {
    const settings = taskSettings.parse({ ...this.#deps.taskDefaults, ...own });
    const { budget, model, tools } = settings;
    const onBreach = budget?.onBreach;
    if (typeof onBreach === "object")
      at(`${pointer}/budget/onBreach/model`, () => this.#deps.models.resolve(onBreach.model));
    const resolved =
      model === undefined ? {} : { model: at(`${pointer}/model`, () => this.#deps.models.resolve(model)) };
    const known = this.#knownTools();
    for (const [index, name] of (tools ?? []).entries()) {
      if (!known.has(name))
        refuse(
          "unknown-tool",
          `${pointer}/tools/${index}`,
          `There is no tool "${name}"; GET /api/v1/tools lists them.`,
        );
    }
    return { ...settings, ...resolved };
  }

  /** @throws BatonError unknown-model or unknown-tool, naming the field of a body that names them at its top */
  settingsNamed(own: Pick<TaskSettingsInput, "model" | "tools">): TaskSettings {
    return this.#settings(own, "");
  }

  #knownTools(): ReadonlySet<string> {
    return new Set(this.#deps.tools.list().map(({ name }) => name));
  }

  /** @throws BatonError unknown-model, unknown-mention, unknown-mcp-server or unknown-tool */
  settingsOf(capabilities: Capabilities): TaskSettings {
    const { chatModel, mentions, allowedMcpServers } = capabilities;
    const model =
      chatModel === undefined ? {} : { model: at("/chatModel", () => this.#deps.models.resolve(chatModel)) };
    const mentioned = this.#mentionedTools(mentions ?? []);
    const refused = this.#toolsOfOtherServers(allowedMcpServers);
    const bound = mentioned ?? (refused.size === 0 ? undefined : [...this.#knownTools()]);
    const tools = bound === undefined ? {} : { tools: bound.filter((name) => !refused.has(name)) };
    return this.#settings({ ...model, ...tools }, "");
  }

  #mentionedTools(mentions: readonly Mention[]): string[] | undefined {
    if (mentions.length === 0) return undefined;
    const known = this.#knownTools();
    const names = mentions.flatMap((mention, index) => {
      const pointer = `/mentions/${index}/name`;
      if (mention.type === "mcpServer") {
        const server = this.#deps.mcpServers.get(mention.serverId ?? mention.name);
        return (
          server?.tools ?? refuse("unknown-mention", pointer, `There is no MCP server "${mention.name}" to mention.`)
        );
      }
      if (known.has(mention.name)) return [mention.name];
      return refuse(
        "unknown-mention",
        pointer,
        `There is no tool "${mention.name}" to mention; GET /api/v1/tools lists them.`,
      );
    });
    return [...new Set(names)];
  }

  /** Tools of servers that the request does not allow; all are allowed when it names none. */
  #toolsOfOtherServers(allowed: Capabilities["allowedMcpServers"]): ReadonlySet<string> {
    if (allowed === undefined) return new Set();
    for (const [serverId, { tools }] of Object.entries(allowed)) {
      const pointer = `/allowedMcpServers/${serverId.replaceAll("~", "~0").replaceAll("/", "~1")}`;
      const server = this.#deps.mcpServers.get(serverId);
      if (server === undefined)
        refuse("unknown-mcp-server", pointer, `There is no MCP server "${serverId}"; configure it, or leave it out.`);
      for (const [index, name] of tools.entries()) {
        if (!server.tools.includes(name))
          refuse("unknown-tool", `${pointer}/tools/${index}`, `The MCP server "${serverId}" has no tool "${name}".`);
      }
    }
    const refused = [...this.#deps.mcpServers].flatMap(([serverId, { tools }]) => {
      const kept = new Set(allowed[serverId]?.tools);
      return tools.filter((name) => !kept.has(name));
    });
    return new Set(refused);
  }

  /** A goal or an explicit plan, as POSTed. */
  async fromBody(
    principal: Principal,
    body: CreateTaskBody,
    idempotency: IdempotencyRef | undefined,
  ): Promise<CreatedTask> {
    const settings = this.#settings(body.settings ?? {}, "/settings");
    const plan = body.plan === undefined ? undefined : await this.#withAgents(body.plan);
    if (plan !== undefined) this.#checkModels(plan);
    const knownTools = this.#knownTools();
    const task = layOutTask({ ...body, plan }, { settings, knownTools, newId: this.#deps.newId });
    return this.#create(task, { principal, idempotency, traces: [] });
  }

  /** The plan with the agents that it names, and those that they may call, as they are defined now. */
  async #withAgents(plan: PlanSpec): Promise<PlanSpec> {
    const known = new Map<string, KnownAgent>();
    const find = async (name: string, pointer: string): Promise<KnownAgent> => {
      const found = known.get(name);
      if (found !== undefined) return found;
      const definition = await this.#agent(name, pointer);
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
      const agent = typeof step.agent === "string" ? count(await find(step.agent, pointer)) : step.agent;
      const defined = new Map((step.agents ?? []).map((each) => [each.name, each]));
      let reach = reachableAgents(agent, defined);
      while (reach.missing.length > 0) {
        for (const name of reach.missing) defined.set(name, count(await find(name, pointer)));
        reach = reachableAgents(agent, defined);
      }
      steps.push({ ...step, agent, ...(reach.reached.length > 0 && { agents: [...reach.reached] }) });
    }
    return { ...plan, steps };
  }

  async #agent(name: string, pointer: string): Promise<AgentDefinition> {
    try {
      const found = await this.#deps.agents?.find(name);
      if (found !== undefined) return found.definition;
    } catch (error) {
      if (!(error instanceof BatonError)) throw error;
      refuse("unknown-agent", pointer, `The agent "${name}" cannot be used: ${error.message}`);
    }
    const fix =
      this.#deps.agents === undefined ? "no agents folder is set (BATON_AGENTS)" : "its folder has no such file";
    return refuse("unknown-agent", pointer, `There is no agent "${name}": ${fix}. Or hand its definition over.`);
  }

  #checkModels(plan: PlanSpec): void {
    for (const [index, step] of plan.steps.entries()) {
      for (const [place, { model }] of (step.type === "agent" ? (step.agents ?? []) : []).entries())
        if (model !== undefined)
          at(`/plan/steps/${index}/agents/${place}/model`, () => this.#deps.models.resolve(model));
      const [inner, place] = step.type === "map" ? [step.step, "/step"] : [step, ""];
      const [named, field] =
        inner.type === "agent" && typeof inner.agent !== "string"
          ? [inner.agent.model, "/agent/model"]
          : inner.type === "llm"
            ? [inner.model, "/model"]
            : [];
      if (named !== undefined) at(`/plan/steps/${index}${place}${field}`, () => this.#deps.models.resolve(named));
    }
  }

  async goal(intent: Intent): Promise<CreatedTask> {
    const { goal, input, settings, threadId } = intent;
    return this.#create(layOutTask({ goal, input, threadId }, { settings, newId: this.#deps.newId }), intent);
  }

  async reply({ goal, input = null, settings, threadId, ...intent }: Intent): Promise<CreatedTask> {
    const steps = [firstStep("reply", settings, this.#deps.newId)];
    return this.#create({ kind: "reply", goal, input, settings, steps, ...present({ threadId }) }, intent);
  }

  async #create(
    layout: NewTask,
    { principal, traces, idempotency }: Pick<Intent, "principal" | "traces" | "idempotency">,
  ): Promise<CreatedTask> {
    const task: CreateTask = {
      ...layout,
      tenantId: principal.tenantId,
      taskId: this.#deps.newId(),
      traces,
      createdBy: principal.keyId,
      ...present({ idempotency }),
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
}

export const refOf = (principal: Principal, taskId: string): TaskRef => ({ tenantId: principal.tenantId, taskId });
