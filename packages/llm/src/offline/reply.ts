/** The answer to a chat message that needs no plan. */
import { answerText } from "./reason.ts";
import { labelled } from "./rendering.ts";
import { givenText, workloadOf } from "./material.ts";
import { operationOf } from "./operations.ts";

const introduction =
  "No language model is configured, so this answer comes from fixed rules. I can plan and run work on files and pages, for example: " +
  "summarise the Markdown files of a folder, list the decisions, open tasks, links or dates they contain, count their words, compare two files, " +
  "or summarise a text that stands in your message. Set ANTHROPIC_API_KEY, or choose another model, for everything else.";

export function reply(message: string): string {
  const given = givenText(message);
  if (given === undefined || operationOf(given.instruction) === undefined) return labelled(introduction);
  return answerText("", workloadOf(message, []));
}
