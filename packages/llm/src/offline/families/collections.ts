import type { StepSpec } from "@baton/core/plan";
import type { Goal } from "../goal.ts";
import { asksFor } from "../operations.ts";
import { cel, collectionTools, eachItem, type Family, keep, readFiles, text } from "./family.ts";

const kinds = [
  { id: "decisions", prompt: "List the decisions that this file contains." },
  { id: "tasks", prompt: "List the TODOs and action items in this file." },
  { id: "headings", prompt: "List the headings of this file." },
  { id: "terms", prompt: "List the terms of this file as bullet points." },
] as const;

const asked = (goal: Goal) => kinds.filter(({ id }) => asksFor(id, goal.words));

/** Several results of the same files: each is found, written and kept without waiting for the others. */
export const collections: Family = {
  id: "collections",
  can: "make several of these from the same files, each as a document of its own: decisions, tasks, headings, terms",
  example: "From the files below docs make a glossary of the terms and a list of the action items",
  needs: collectionTools,
  matches: (goal) => goal.speaksOfFiles && asked(goal).length >= 2,
  plan: (goal) => {
    const strand = ({ id, prompt }: (typeof kinds)[number]): readonly StepSpec[] => [
      eachItem(id, "steps.read.output", { type: "llm", prompt, description: prompt }, `Find the ${id} in every file`, [
        "read",
      ]),
      text(`${id}-report`, `Write a report over the ${id} of every file.`, `Write the report on the ${id}`, [id]),
      { ...keep(`${id}.md`, `steps["${id}-report"].output.text`, `${id}-report`), id: `keep-${id}` },
    ];
    const wanted = asked(goal);
    const texts = wanted.map(({ id }) => `steps["${id}-report"].output.text`);
    return { steps: [...readFiles(goal), ...wanted.flatMap(strand)], result: cel(`[${texts.join(", ")}]`) };
  },
};
