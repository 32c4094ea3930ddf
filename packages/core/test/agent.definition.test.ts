import { readFileSync } from "node:fs";
import { type AgentDefinition, agentDefinition, reachableAgents } from "@baton/core/agent";
import { planSpec } from "@baton/core/plan";
import { describe, expect, it } from "vitest";

const smallest = { name: "reader", description: "Reads.", instructions: "Read what you are given." };
const problems = (input: unknown): string[] => {
  const result = agentDefinition.safeParse(input);
  return result.success ? [] : result.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
};

describe("the definition of an agent", () => {
  it("needs a name, a description and instructions, and limits itself", () => {
    expect(agentDefinition.parse(smallest)).toEqual({
      ...smallest,
      tools: [],
      agents: [],
      approvals: [],
      capabilities: [],
      limits: { turns: 50, tool_calls: 200 },
    });
    expect(problems({})).toHaveLength(3);
  });

  it("stands in docs/agents.md as a plan that is one", () => {
    const page = readFileSync(new URL("../../../docs/agents.md", import.meta.url), "utf8");
    const [, example = ""] = /```json\n([\s\S]*?)```/.exec(page) ?? [];
    const { plan } = JSON.parse(example) as { plan: unknown };
    expect(planSpec.parse(plan).steps).toMatchObject([
      { type: "agent", agent: "reader" },
      { type: "agent", agent: { limits: { turns: 20, tool_calls: 200 } } },
    ]);
  });

  it("names its model in one text or in two", () => {
    const model = { provider: "local", model: "qwen/2.5:7b" };
    expect(agentDefinition.parse({ ...smallest, model }).model).toEqual(model);
    expect(agentDefinition.parse({ ...smallest, model: "local/qwen/2.5:7b" }).model).toEqual(model);
    expect(problems({ ...smallest, model: "gpt" })).toEqual([
      'model: "<provider>/<model>", or {"provider": "…", "model": "…"}',
    ]);
  });

  it.each([
    [{ name: "Reader" }, /^name: small letters/],
    [{ name: "__proto__" }, /^name: small letters/],
    [{ instructions: "  \n" }, /^instructions: an agent needs instructions/],
    [{ limits: { turns: 0 } }, /^limits\.turns: /],
    [{ limits: { dollars: 3 } }, /dollars/],
    [{ tool: ["a"] }, /tool/],
    [{ tools: [""] }, /^tools\.0: /],
  ])("refuses %j and names the field", (wrong, message) => {
    expect(problems({ ...smallest, ...wrong }).join("\n")).toMatch(message);
  });
});

describe("the agents that an agent may reach", () => {
  const agent = (name: string, ...agents: string[]) =>
    agentDefinition.parse({ name, description: "x", instructions: "x", agents });
  const reach = (from: AgentDefinition, ...defined: AgentDefinition[]) => {
    const { reached, missing } = reachableAgents(from, new Map(defined.map((each) => [each.name, each])));
    return { reached: reached.map(({ name }) => name).toSorted(), missing };
  };

  it("are those it names, and those that they name, in circles too", () => {
    const [a, b, c] = [agent("a", "b"), agent("b", "c"), agent("c", "a", "b")];
    expect(reach(a, b, c, agent("d"))).toEqual({ reached: ["a", "b", "c"], missing: [] });
    expect(reach(agent("alone"), b)).toEqual({ reached: [], missing: [] });
  });

  it("are told by name where nobody defines them", () => {
    expect(reach(agent("a", "b", "x"), agent("b", "y"))).toEqual({ reached: ["b"], missing: ["x", "y"] });
  });
});
