import { asksFor } from "../operations.ts";
import { collection, collectionTools, type Family } from "./family.ts";

export const decisions: Family = {
  id: "decisions",
  can: "list the decisions that files contain, with a summary of each file when asked",
  example:
    "Read every Markdown file below docs, summarise each one, and write a report that lists the decisions they contain",
  needs: collectionTools,
  matches: (goal) => goal.speaksOfFiles && asksFor("decisions", goal.words),
  plan: (goal) => {
    const find = {
      id: "decisions",
      prompt: "List the decisions that this file contains.",
      description: "Find the decisions in every file",
    };
    const extract = {
      id: "extracts",
      prompt: "Summarise this file in at most 3 sentences.",
      description: "Summarise every file",
    };
    return collection(goal, asksFor("summarize", goal.words) ? [extract, find] : [find], "report.md");
  },
};
