import { asksFor } from "../operations.ts";
import { cel, collectionTools, type Family, keep, literal, readFiles } from "./family.ts";

export const merge: Family = {
  id: "merge",
  can: "merge files into one artifact",
  example: "Merge all Markdown files in notes into one file",
  needs: collectionTools,
  matches: (goal) => goal.speaksOfFiles && asksFor("merge", goal.words),
  plan: (goal) => {
    const joined = `steps.read.output.map(f, ${literal("# ")} + f.path + ${literal("\n\n")} + f.text).join(${literal("\n\n")})`;
    return { steps: [...readFiles(goal), keep("merged.md", joined, "read")], result: cel("steps.keep.output") };
  },
};
