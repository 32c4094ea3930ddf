import { CommandFailure, exits } from "../failure.ts";

const listedBy = { task: "status", step: "dead-letters", question: "questions" } as const;

export function checkedId(id: string, what: keyof typeof listedBy = "task"): string {
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(id)) return id;
  throw new CommandFailure(
    exits.usage,
    `${JSON.stringify(id)} is not the id of a ${what}; "npm run baton -- ${listedBy[what]}" lists them.`,
  );
}
