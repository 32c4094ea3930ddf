import { asksFor } from "../operations.ts";
import { cel, type Family, keep, readFiles, text } from "./family.ts";

export const comparison: Family = {
  id: "comparison",
  can: "compare two named files line by line",
  example: "Compare docs/a.md with docs/b.md",
  needs: () => ["files.read", "artifact.write"],
  matches: (goal) => goal.files.length === 2 && asksFor("compare", goal.words),
  plan: (goal) => ({
    steps: [
      ...readFiles(goal),
      text("compare", "Compare these two files.", `Compare ${goal.files[0]} with ${goal.files[1]}`, ["read"]),
      keep("comparison.md", "steps.compare.output.text", "compare"),
    ],
    result: cel("steps.compare.output.text"),
  }),
};
