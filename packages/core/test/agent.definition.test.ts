import { readFileSync } from "node:fs";
import { agentDefinition } from "@baton/core/agent";
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
