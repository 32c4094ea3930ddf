import { asksFor, type Operation } from "../operations.ts";
import { cel, type Family, keep, text, tool } from "./family.ts";

const prompts: readonly (readonly [Operation, string])[] = [
  ["decisions", "List the decisions that this page contains."],
  ["tasks", "List the TODOs and action items of this page."],
  ["headings", "List the headings of this page."],
  ["links", "List the links of this page."],
  ["emails", "List the e-mail addresses of this page."],
  ["dates", "List the dates on this page."],
];

export const page: Family = {
  id: "page",
  can: "fetch a page by its address and summarise it, or list its decisions, links, headings or dates",
  example: "Fetch https://example.com/notes.html and summarise it",
  needs: () => ["http.get", "artifact.write"],
  // A goal that names a file beside the page asks for more than this plan does.
  matches: (goal) => goal.urls.length === 1 && goal.files.length === 0,
  plan: (goal) => {
    const url = goal.urls[0] as string;
    const prompt =
      prompts.find(([operation]) => asksFor(operation, goal.words))?.[1] ??
      "Summarise this page in at most 5 sentences.";
    return {
      steps: [
        tool("fetch", "http.get", { url }, `Fetch ${url}`),
        text("read-page", prompt, prompt, ["fetch"]),
        keep("page.md", 'steps["read-page"].output.text', "read-page"),
      ],
      result: cel('steps["read-page"].output.text'),
    };
  },
};
