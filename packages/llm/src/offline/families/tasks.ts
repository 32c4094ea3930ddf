import { asksFor } from "../operations.ts";
import { collection, collectionTools, type Family } from "./family.ts";

export const tasks: Family = {
  id: "tasks",
  can: "collect the TODOs and action items of files",
  example: "Collect all TODOs and action items from the Markdown files in notes/",
  needs: collectionTools,
  matches: (goal) => goal.speaksOfFiles && asksFor("tasks", goal.words),
  plan: (goal) =>
    collection(
      goal,
      [
        {
          id: "tasks",
          prompt: "List the TODOs and action items in this file.",
          description: "Find the open tasks in every file",
        },
      ],
      "tasks.md",
    ),
};
