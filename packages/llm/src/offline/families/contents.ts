import { asksFor } from "../operations.ts";
import { collection, collectionTools, type Family } from "./family.ts";

export const contents: Family = {
  id: "contents",
  can: "make a table of contents from the headings of files",
  example: "Make a table of contents of all Markdown files in docs",
  needs: collectionTools,
  matches: (goal) => goal.speaksOfFiles && asksFor("headings", goal.words),
  plan: (goal) =>
    collection(
      goal,
      [
        {
          id: "headings",
          prompt: "List the headings of this file.",
          description: "Collect the headings of every file",
        },
      ],
      "contents.md",
    ),
};
