import { asksFor } from "../operations.ts";
import { cel, collection, collectionTools, type Family, keep, readFiles, text } from "./family.ts";

export const summaryOfFile: Family = {
  id: "summary-of-file",
  can: "summarise one named file",
  example: "Summarise docs/ARCHITECTURE.md in 5 sentences",
  needs: () => ["files.read", "artifact.write"],
  matches: (goal) => goal.files.length === 1 && asksFor("summarize", goal.words),
  plan: (goal) => {
    const length =
      /\b(?:in|at most|with)\s+(?:at most\s+)?((?:\d{1,2}|one|two|three|four|five|six|seven|eight|nine|ten)\s+(?:sentences?|points|bullets?))\b/i.exec(
        goal.request,
      )?.[1];
    return {
      steps: [
        ...readFiles(goal),
        text("summary", `Summarise this file in at most ${length ?? "5 sentences"}.`, `Summarise ${goal.files[0]}`, [
          "read",
        ]),
        keep("summary.md", "steps.summary.output.text", "summary"),
      ],
      result: cel("steps.summary.output.text"),
    };
  },
};

export const summariesOfFiles: Family = {
  id: "summaries-of-files",
  can: "summarise each file of a folder or of a list",
  example: "Summarise every Markdown file below docs",
  needs: collectionTools,
  matches: (goal) => goal.speaksOfFiles && asksFor("summarize", goal.words),
  plan: (goal) =>
    collection(
      goal,
      [{ id: "extracts", prompt: "Summarise this file in at most 3 sentences.", description: "Summarise every file" }],
      "summaries.md",
    ),
};
