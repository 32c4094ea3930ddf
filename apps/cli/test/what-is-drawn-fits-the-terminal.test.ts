import type { DeadLetterDetails, DeadLetterGroup, McpTool, Question, Trace } from "@baton/contracts";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { budgetLines, usageLines } from "../src/commands/budget.ts";
import { groupLines, letterLines } from "../src/commands/dead-letters.ts";
import { toolLines } from "../src/commands/mcp.ts";
import { questionLines } from "../src/commands/questions.ts";
import { openConsole } from "../src/console/console.ts";
import { columnsOf, fit, oneLine, printable, wrap } from "../src/console/text.ts";
import { planLines } from "../src/progress/plan.ts";
import { timelineLines, timelineRows } from "../src/progress/timeline.ts";
import type { TrackedAttempt, TrackedStep } from "../src/progress/tracker.ts";
import { allAttempts, createTracker, planSteps } from "../src/progress/tracker.ts";

const text = fc.string({ unit: "grapheme", maxLength: 60 });
const columns = fc.integer({ min: 60, max: 200 });

describe("text for a terminal", () => {
  it("is never wider than it may be, and exactly as wide when it is filled up", () => {
    fc.assert(
      fc.property(text, fc.integer({ min: 1, max: 80 }), (given, width) => {
        const line = oneLine(given);
        expect(columnsOf(fit(line, width))).toBeLessThanOrEqual(width);
        expect(columnsOf(fit(line, width, true))).toBe(width);
      }),
    );
  });

  it("carries nothing that moves a cursor, changes a colour or turns the direction", () => {
    expect(printable("a\u001b[31mred\u001b[0m\u0007\rb\u202ec\u009b2Jd\ne")).toBe("aredbc2Jd\ne");
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (given) => {
        expect(printable(given)).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/);
      }),
    );
  });

  it("keeps every word when it is wrapped", () => {
    fc.assert(
      fc.property(fc.array(fc.stringMatching(/^[a-z]{1,12}$/), { minLength: 1 }), (words) => {
        const lines = wrap(words.join(" "), 40, "  ").split("\n");
        expect(lines.flatMap((line) => line.trim().split(" "))).toEqual(words);
        for (const line of lines) expect(columnsOf(line)).toBeLessThanOrEqual(40);
      }),
    );
  });
});

describe("a wrapped text", () => {
  it("is never wider than it may be, and loses nothing", () => {
    fc.assert(
      fc.property(text, fc.integer({ min: 10, max: 80 }), (given, width) => {
        const wrapped = wrap(given, width, "  ");
        for (const line of wrapped.split("\n")) expect(columnsOf(line)).toBeLessThanOrEqual(width);
        expect(wrapped.replace(/\s/g, "")).toBe(oneLine(given).replace(/\s/g, ""));
      }),
    );
  });
});

describe("budgets and usage", () => {
  const whole = fc.nat(1_000_000_000_000);
  const usd = fc.double({ min: 0, max: 1_000_000, noNaN: true });
  const held = fc.record({ tokens: whole, usd, modelCalls: whole });
  const settled = fc.record({ tokens: whole, usd, modelCalls: whole, toolCalls: whole });
  const caps = fc.record(
    { tokens: whole, usd, modelCalls: whole, toolCalls: whole, wallMs: whole },
    { requiredKeys: [] },
  );
  const figures = fc.record({
    ...{
      calls: whole,
      inputTokens: whole,
      outputTokens: whole,
      costUsd: usd,
      overrunTokens: whole,
      overrunUsd: usd,
      cachedInputTokens: whole,
      cacheWriteTokens: whole,
    },
    ...{ estimatedCalls: whole, lostCalls: whole, unpricedCalls: whole },
  });

  it("are never wider than the terminal, whatever was spent", () => {
    fc.assert(
      fc.property(
        caps,
        settled,
        held,
        whole,
        figures,
        text,
        columns,
        (limits, spent, reserved, elapsedMs, total, name, width) => {
          const overrun = { tokens: total.overrunTokens, usd: total.overrunUsd };
          const lines = [
            ...budgetLines({ taskId: "t", caps: limits, settled: spent, reserved, overrun, elapsedMs }, width),
            ...usageLines(
              {
                from: "2026-11-01",
                to: "2026-11-20",
                groupBy: "model",
                total,
                rows: [{ model: { provider: name, model: name }, ...total }],
              },
              width,
            ),
          ];
          for (const line of lines) expect(columnsOf(line)).toBeLessThanOrEqual(width);
        },
      ),
    );
  });

  it("say what is capped, what is under way, and which figures are no facts", () => {
    const none = { tokens: 0, usd: 0 };
    const budget = {
      taskId: "t",
      settled: { tokens: 1_200, usd: 0.5, modelCalls: 3, toolCalls: 0 },
      overrun: none,
      elapsedMs: 1,
    };
    const lines = budgetLines(
      { ...budget, caps: { tokens: 5_000 }, reserved: { tokens: 900, usd: 0, modelCalls: 1 } },
      100,
    );
    expect(lines[0]).toBe("tokens             1,200 of 5,000, 900 under way");
    expect(lines[1]).toBe("US dollars       $0.5000 of no cap");
    const total = {
      calls: 4,
      inputTokens: 100,
      outputTokens: 20,
      costUsd: 0.25,
      estimatedCalls: 1,
      lostCalls: 2,
      unpricedCalls: 0,
      overrunTokens: 0,
      overrunUsd: 0,
      cachedInputTokens: 0,
      cacheWriteTokens: 0,
    };
    const usage = usageLines(
      { from: "a", to: "b", groupBy: "day", total, rows: [{ day: "2026-11-20", ...total }] },
      100,
    ).join("\n");
    for (const part of ["2026-11-20", "total", "4 calls", "120 tokens", "$0.2500", "1 estimated", "2 lost"])
      expect(usage).toContain(part);
  });
});

describe("the timeline", () => {
  const attempt = fc
    .record({ from: fc.nat(100_000), took: fc.nat(30_000), worker: fc.constantFrom("api", "worker-1", "worker-2") })
    .map(
      ({ from, took, worker }): TrackedAttempt => ({
        attemptNo: 1,
        worker,
        startedAt: from,
        endedAt: from + took,
        end: "completed",
      }),
    );
  const steps = fc.array(
    fc
      .record({ key: text, attempts: fc.array(attempt, { maxLength: 20 }) })
      .map((fields): TrackedStep => ({ ...stepOf("x"), ...fields })),
    { minLength: 1, maxLength: 8 },
  );

  it("fits, and every row shows that its worker ran", () => {
    fc.assert(
      fc.property(steps, columns, (drawn, width) => {
        const rows = timelineRows(drawn, (worker) => worker);
        const lines = timelineLines(rows, width);
        for (const line of lines) expect(columnsOf(line)).toBeLessThanOrEqual(width);
        expect(lines.slice(1)).toHaveLength(rows.length);
        for (const line of lines.slice(1)) expect(line).toContain("█");
        expect(rows.reduce((sum, row) => sum + row.attempts.length, 0)).toBe(drawn.flatMap(allAttempts).length);
      }),
    );
  });

  it("has one row per step and worker, however many items a map has", () => {
    const items = Array.from({ length: 1_000 }, (_none, at) => ({
      ...stepOf(`item-${at}`),
      attempts: [{ attemptNo: 1, worker: `w${at % 3}`, startedAt: at, endedAt: at + 5, end: "completed" as const }],
    }));
    const rows = timelineRows([{ ...stepOf("map"), items }], (worker) => worker);
    expect(rows.map(({ worker, attempts }) => [worker, attempts.length])).toEqual([
      ["w0", 334],
      ["w1", 333],
      ["w2", 333],
    ]);
  });

  it("marks an attempt that came to nothing", () => {
    const crashed = { attemptNo: 1, worker: "w", startedAt: 0, endedAt: 50, end: "crashed" as const };
    const done = { attemptNo: 2, worker: "w", startedAt: 50, endedAt: 100, end: "completed" as const };
    const rows = timelineRows([{ ...stepOf("a"), attempts: [crashed, done] }], (worker) => worker);
    expect(timelineLines(rows, 80)[1]).toMatch(/x+█+/);
  });
});

describe("the plan", () => {
  it("fits and keeps its order", () => {
    const console = openConsole();
    const some = fc.array(fc.record({ key: text, description: text }), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(some, columns, (drawn, width) => {
        const lines = planLines(
          drawn.map((fields, at) => ({
            ...stepOf(`id-${at}`),
            ...fields,
            dependsOn: at === 0 ? [] : [`id-${at - 1}`],
          })),
          console,
          width,
        );
        expect(lines).toHaveLength(drawn.length);
        for (const line of lines) expect(columnsOf(printable(line))).toBeLessThanOrEqual(width);
      }),
    );
  });
});

describe("a dead letter", () => {
  const id = "019abc00-0000-7000-8000-000000000001";
  const at = "2026-11-20T12:00:00.000Z";
  const draw = (columns: number) => ({ columns, paintData: (_style: unknown, painted: string) => painted });
  const letter = fc.record({ key: text, goal: text, message: text, tool: text }).map(
    ({ key, goal, message, tool }): DeadLetterDetails => ({
      id,
      task: { id, goal, state: "failed" },
      step: { key, kind: "user", type: "tool", tool },
      error: { code: "tool-failed", message, causes: [{ name: "Error", message: goal }] },
      failedAt: at,
      attemptNo: 2,
      failureCount: 2,
      crashCount: 1,
      onExhausted: "fail",
      actions: ["retry", "complete", "skip"],
      attempts: [{ attemptNo: 2, worker: key, startedAt: at, end: "failed" }],
      config: { [key]: message },
      unevaluated: [{ pointer: "/arguments", reason: message }],
      effects: [],
    }),
  );
  // A command that is cut or broken by the terminal cannot be copied.
  const fits = (lines: readonly string[], width: number) => {
    for (const line of lines.flatMap((each) => each.split("\n"))) {
      expect(columnsOf(printable(line))).toBeLessThanOrEqual(width);
      expect(line).not.toMatch(/npm run.*…/);
    }
  };

  it("fits with the commands that move it, alone and among those of its cause", () => {
    fc.assert(
      fc.property(letter, fc.integer({ min: 80, max: 200 }), (drawn, width) => {
        fits(letterLines(drawn, draw(width)), width);
        const group: DeadLetterGroup = {
          id: "9f86d081884c",
          code: "tool-failed",
          message: drawn.error.message,
          type: "tool",
          tool: drawn.step.key,
          count: 12_345,
          taskCount: 1,
          firstFailedAt: at,
          lastFailedAt: "2026-11-21T12:00:00.000Z",
          letters: [drawn],
          nextCursor: null,
        };
        fits(groupLines(group, draw(width)), width);
      }),
    );
  });
});

describe("a question", () => {
  const id = "019abc00-0000-7000-8000-000000000001";
  const at = "2026-11-20T12:00:00.000Z";
  const question = fc
    .record({ stepKey: text, tool: text, said: text, options: fc.array(text, { maxLength: 3 }) })
    .chain(({ stepKey, tool, said, options }): fc.Arbitrary<Question> => {
      const common = {
        ...{
          id,
          taskId: id,
          stepId: id,
          stepKey,
          callNo: 1,
          state: "open" as const,
          approvers: [],
          quorum: 2,
          votes: [],
        },
        ...{ createdAt: at, expiresAt: at },
      };
      return fc.constantFrom<Question>(
        { ...common, kind: "question", text: said, options },
        { ...common, kind: "approval", tool, effect: "irreversible", arguments: { [stepKey]: [said, options] } },
      );
    });

  it("fits with the commands that answer it", () => {
    fc.assert(
      fc.property(question, fc.integer({ min: 80, max: 200 }), (drawn, width) => {
        const lines = questionLines(drawn, { columns: width, paintData: (_style, painted) => painted });
        for (const line of lines.flatMap((each) => each.split("\n"))) {
          expect(columnsOf(printable(line))).toBeLessThanOrEqual(width);
          expect(line).not.toMatch(/npm run.*--.*… /);
        }
        const commands = drawn.kind === "question" ? ["answer"] : ["approve", "reject"];
        for (const command of commands) expect(lines.join("\n")).toContain(`npm run baton -- ${command} ${id}`);
      }),
    );
  });
});

describe("a tool of an MCP server", () => {
  const definition = fc.record({
    description: text,
    effect: fc.constantFrom("read" as const, "write" as const),
    inputSchema: fc.constant({
      type: "object",
      properties: { path: { type: "string", description: "x".repeat(300) } },
    }),
  });
  const hash = "0123456789abcdef".repeat(4);
  const changed = fc
    .record({ now: definition, accepted: definition, why: text })
    .map(({ now, accepted, why }): McpTool => {
      const common = {
        name: "documents.read_text_file",
        server: "documents",
        hash,
        changedAt: "2026-11-20T12:00:00.000Z",
      };
      return { ...common, state: "changed", ...now, accepted, why };
    });

  it("that changed fits, but for the command that accepts exactly what is shown", () => {
    fc.assert(
      fc.property(changed, fc.integer({ min: 80, max: 200 }), (tool, width) => {
        const lines = toolLines(tool, false, { columns: width, paintData: (_style, painted) => painted });
        const command = `    npm run baton -- mcp accept ${tool.name} --hash ${hash}`;
        expect(lines.at(-1)).toBe(command);
        for (const line of lines.slice(0, -1).flatMap((each) => each.split("\n")))
          expect(columnsOf(printable(line))).toBeLessThanOrEqual(width);
      }),
    );
  });

  it("that may be called takes one line", () => {
    const [tool] = fc.sample(changed, 1) as [McpTool];
    const { accepted: _, why: __, ...rest } = tool;
    const accepted: McpTool = { ...rest, state: "accepted" };
    const lines = toolLines(accepted, false, { columns: 80, paintData: (_style, painted) => painted });
    expect(lines).toEqual([`  documents.read_text_file  ${tool.effect}  accepted`]);
  });
});

describe("traces", () => {
  const at = (second: number) => `2026-11-20T12:00:${String(second).padStart(2, "0")}.000Z`;
  const trace = (no: number, type: string, data: Record<string, unknown>, more: Partial<Trace> = {}): Trace => ({
    no,
    type,
    data,
    createdAt: at(no),
    ...more,
  });
  const added = (stepId: string, parentStepId?: string) => ({
    ...{
      stepId,
      key: stepId,
      kind: "user",
      type: "tool",
      description: "",
      join: "all",
      dependsOn: [],
      onExhausted: "fail",
    },
    ...(parentStepId !== undefined && { parentStepId }),
  });

  it("tell which attempts a step had, where they ran, and how they ended", () => {
    const tracker = createTracker();
    const started = (no: number, stepId: string, worker: string, attemptNo: number) =>
      trace(no, "step-started", { sessionId: "s", worker, continued: false }, { stepId, attemptNo });
    for (const row of [
      trace(1, "steps-added", { steps: [added("map")], reason: "created" }),
      started(2, "map", "w1", 1),
      trace(3, "step-expanded", { itemCount: 1, concurrency: 1 }, { stepId: "map" }),
      trace(4, "steps-added", { steps: [added("item", "map")], reason: "expanded" }),
      started(5, "item", "w1", 1),
      started(7, "item", "w2", 2),
      trace(8, "step-completed", { deadEdges: [], sizeBytes: 1, preview: "" }, { stepId: "item" }),
      trace(9, "something-new", { anything: true }, { stepId: "item" }),
    ]) {
      tracker.apply(row);
    }
    const [map] = planSteps(tracker);
    expect(planSteps(tracker)).toHaveLength(1);
    expect(map?.state).toBe("waiting");
    expect(map?.items[0]?.state).toBe("completed");
    expect(map?.items[0]?.attempts.map(({ worker, end }) => [worker, end])).toEqual([
      ["w1", "crashed"],
      ["w2", "completed"],
    ]);
  });
});

function stepOf(id: string): TrackedStep {
  const fields = { key: id, kind: "user", type: "tool", description: "", dependsOn: [], parentId: undefined };
  return { id, ...fields, attempts: [], items: [], state: "open" };
}
