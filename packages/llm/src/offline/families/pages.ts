import type { StepSpec } from "@baton/core/plan";
import { asksFor } from "../operations.ts";
import { cel, type Family, keep, text, tool } from "./family.ts";

const most = 20;

/** Several pages, each fetched without waiting for the others. */
export const pages: Family = {
  id: "pages",
  can: "fetch several pages by their addresses and compare or summarise them",
  example: "Fetch https://example.com/a.html and https://example.com/b.html and compare them",
  needs: () => ["http.get", "artifact.write"],
  matches: (goal) =>
    goal.urls.length >= 2 &&
    goal.urls.length <= most &&
    goal.files.length === 0 &&
    (asksFor("summarize", goal.words) || (goal.urls.length === 2 && asksFor("compare", goal.words))),
  plan: (goal) => {
    const fetches: readonly StepSpec[] = goal.urls.map((url, at) =>
      tool(`fetch-${at + 1}`, "http.get", { url }, `Fetch ${url}`),
    );
    const ids = fetches.map(({ id }) => id);
    const compares = asksFor("compare", goal.words);
    const prompt = compares ? "Compare these two pages." : "Summarise each page in at most 5 sentences.";
    return {
      steps: [
        ...fetches,
        text("pages", prompt, prompt, ids),
        keep(compares ? "comparison.md" : "pages.md", "steps.pages.output.text", "pages"),
      ],
      result: cel("steps.pages.output.text"),
    };
  },
};
