import { cel, type Family, keep, literal, tool } from "./family.ts";

export const listing: Family = {
  id: "listing",
  can: "list the files of a folder",
  example: "List all Markdown files in docs",
  needs: () => ["files.list", "artifact.write"],
  matches: (goal) =>
    goal.files.length === 0 && /\b(?:list|show|name|which|find)\b[^.]{0,30}\bfiles\b/i.test(goal.request),
  plan: (goal) => {
    const lines = `steps.list.output.files.map(f, ${literal("- ")} + f.path + ${literal(" (")} + string(f.sizeBytes) + ${literal(" bytes)")}).join(${literal("\n")})`;
    return {
      steps: [
        tool("list", "files.list", { pattern: goal.pattern }, `Find the files ${goal.pattern}`),
        keep("files.md", `string(steps.list.output.files.size()) + ${literal(" files.\n\n")} + ${lines}`, "list"),
      ],
      result: cel("steps.list.output.files"),
    };
  },
};
