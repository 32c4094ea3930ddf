/** The three agents of `baton demo --agent`, and the plan that begins with the first. */
import type { RequestInput } from "@baton/client";

type Plan = NonNullable<NonNullable<RequestInput<"createTask">["body"]>["plan"]>;

const lead = {
  name: "lead",
  description: "Has a folder read and a report written.",
  instructions:
    "You lead two agents. List the folder, have its files read by readers, several of them at once and each with files of its own, " +
    "then have the writer write the report from what they answered. Pass on the lines that begin with Folder: and Report:.",
  tools: ["folder.list_directory"],
  agents: ["reader", "writer"],
  limits: { turns: 12 },
};

const reader = {
  name: "reader",
  description: "Reads the files it is told, and says what stands in them.",
  instructions:
    "Read each file that you are told once. Then say in a few sentences what it decides or describes. Name the file.",
  tools: ["folder.read_text_file"],
  limits: { turns: 20 },
};

const writer = {
  name: "writer",
  description: "Writes a report from what it is given.",
  instructions:
    "Write the report as Markdown into the file that stands after Report:, once. Then say in one sentence what is in it.",
  tools: ["output.write_file"],
  approvals: [{ tools: ["output.*"] }],
  limits: { turns: 6 },
};

export const demoPlan = (folder: string, report: string): Plan => ({
  steps: [
    {
      id: "report",
      type: "agent",
      agent: lead,
      agents: [reader, writer],
      prompt: `Report on the files of this folder.\nFolder: ${folder}\nReport: ${report}`,
    },
  ],
});
