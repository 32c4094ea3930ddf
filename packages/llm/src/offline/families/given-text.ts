import { asksFor, operations } from "../operations.ts";
import { cel, type Family, keep } from "./family.ts";

const usable = operations.filter(
  (operation) => operation !== "report" && operation !== "merge" && operation !== "compare" && operation !== "rank",
);

export const givenText: Family = {
  id: "given-text",
  can: "summarise a text that stands in the goal, or list its decisions, tasks, links, dates, headings or terms",
  example:
    "Summarise this text: The service keeps every result in PostgreSQL. Redis only carries wake-ups between processes. Losing Redis therefore loses no task, it only delays the next step.",
  needs: () => ["artifact.write"],
  matches: (goal) => goal.given !== undefined && usable.some((operation) => asksFor(operation, goal.words)),
  plan: (goal) => ({
    steps: [
      {
        id: "answer",
        type: "llm",
        // The text stays in the goal: a plan may hold prompts of 100,000 characters, a goal may be as long.
        prompt: cel("goal"),
        description: goal.request.slice(0, 200),
        output_schema: {
          type: "object",
          properties: { text: { type: "string" } },
          required: ["text"],
          additionalProperties: false,
        },
      },
      keep("answer.md", "steps.answer.output.text", "answer"),
    ],
    result: cel("steps.answer.output.text"),
  }),
};
