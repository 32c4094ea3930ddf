import { asksFor } from "../operations.ts";
import { collection, collectionTools, type Family } from "./family.ts";

const kinds = [
  { id: "links", prompt: "List the links in this file.", description: "Find the links in every file" },
  {
    id: "emails",
    prompt: "List the e-mail addresses in this file.",
    description: "Find the e-mail addresses in every file",
  },
  { id: "dates", prompt: "List the dates in this file.", description: "Find the dates in every file" },
] as const;

export const references: Family = {
  id: "references",
  can: "extract the links, e-mail addresses or dates of files",
  example: "Extract all links and e-mail addresses from the files below docs",
  needs: collectionTools,
  matches: (goal) => goal.speaksOfFiles && kinds.some(({ id }) => asksFor(id, goal.words)),
  plan: (goal) =>
    collection(
      goal,
      kinds.filter(({ id }) => asksFor(id, goal.words)),
      "references.md",
    ),
};
