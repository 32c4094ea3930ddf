import { asksFor } from "../operations.ts";
import { collection, collectionTools, type Family } from "./family.ts";

export const glossary: Family = {
  id: "glossary",
  can: "build an index of the terms that files use, with where they occur",
  example: "Build a glossary of the key terms in the documents below docs",
  needs: collectionTools,
  matches: (goal) => goal.speaksOfFiles && asksFor("terms", goal.words),
  plan: (goal) =>
    collection(
      goal,
      [
        {
          id: "terms",
          prompt: "List the terms of this file as bullet points.",
          description: "Find the terms of every file",
        },
      ],
      "glossary.md",
    ),
};
