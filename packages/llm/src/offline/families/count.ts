import { asksFor } from "../operations.ts";
import { collectionTools, eachItem, type Family, keep, readFiles, text } from "./family.ts";
import { cel } from "./family.ts";

const figures = {
  type: "object",
  properties: {
    source: { type: "string" },
    wordCount: { type: "integer" },
    lineCount: { type: "integer" },
    characterCount: { type: "integer" },
  },
  required: ["source", "wordCount", "lineCount", "characterCount"],
  additionalProperties: false,
} as const;

export const count: Family = {
  id: "count",
  can: "count the words, lines and characters of files",
  example: "Count the words and lines of every Markdown file in docs",
  needs: collectionTools,
  matches: (goal) =>
    goal.speaksOfFiles &&
    asksFor("count", goal.words) &&
    /\b(?:words?|lines?|characters?|length)\b/i.test(goal.request),
  plan: (goal) => ({
    steps: [
      ...readFiles(goal),
      eachItem(
        "count",
        "steps.read.output",
        {
          type: "llm",
          prompt: "Count the words, lines and characters of this file.",
          output_schema: figures,
          description: "Count one file",
        },
        "Count every file",
        ["read"],
      ),
      text("totals", "Count: put the figures of every file into one table with totals.", "Add the figures up", [
        "count",
      ]),
      keep("counts.md", "steps.totals.output.text", "totals"),
    ],
    result: cel("steps.totals.output.text"),
  }),
};
