import { asksFor } from "../operations.ts";
import { cel, type Family, keep, text, tool } from "./family.ts";

export const ranking: Family = {
  id: "ranking",
  can: "report the largest, smallest, newest or oldest files",
  example: "Report the 10 largest files below docs",
  needs: () => ["files.list", "artifact.write"],
  matches: (goal) => goal.speaksOfFiles && asksFor("rank", goal.words),
  plan: (goal) => {
    const order =
      /\b(?:smallest|oldest|newest|latest|most recent(?:ly)?)\b/i.exec(goal.request)?.[0].toLowerCase() ?? "largest";
    const howMany = /\b(\d{1,3})\b/.exec(goal.request)?.[1] ?? "10";
    // Without a kind of file in the goal every file counts, texts or not.
    const pattern = goal.pattern.replace(/\.\{md,markdown,txt,rst,adoc\}$/, "");
    return {
      steps: [
        tool("list", "files.list", { pattern }, `Find the files ${pattern}`),
        text("rank", `Show the ${howMany} ${order} of these files.`, `Choose the ${howMany} ${order} files`, ["list"]),
        keep("files.md", "steps.rank.output.text", "rank"),
      ],
      result: cel("steps.rank.output.text"),
    };
  },
};
