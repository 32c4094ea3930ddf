import { cel, type Family, keep, literal, tool } from "./family.ts";
import type { Goal } from "../goal.ts";

/** The quoted text, else the words after "for", "containing" or "mention". */
function queryOf(goal: Goal): string | undefined {
  if (goal.quoted !== undefined) return goal.quoted;
  const after =
    /\b(?:containing|contains?|mention(?:s|ing)?|with the (?:word|text|term)|for(?: the (?:word|text|term))?|occurrences of)\s+([^\s,.;:][^,.;:\n]{0,80}?)(?=\s+(?:in|below|under|inside|within|from|across)\b|[,.;:]|$)/i;
  return after.exec(goal.request)?.[1]?.trim();
}

export const search: Family = {
  id: "search",
  can: "search files for a text and list the lines",
  example: 'Search for "lease" in the Markdown files below docs',
  needs: () => ["files.search", "artifact.write"],
  matches: (goal) =>
    goal.speaksOfFiles &&
    /\b(?:search(?:es)?|grep|find (?:every|all|each|the )?\s*(?:lines?|places?|occurrences?|mentions?|files? (?:that |which )?(?:contain|mention))|list (?:every|all|the) (?:lines?|occurrences?|mentions?))/i.test(
      goal.request,
    ) &&
    queryOf(goal) !== undefined,
  plan: (goal) => {
    const pattern = goal.files[0] ?? goal.pattern;
    const lines = `steps.search.output.matches.map(m, ${literal("- ")} + m.path + ${literal(":")} + string(m.line) + ${literal(" ")} + m.text).join(${literal("\n")})`;
    const content = `string(steps.search.output.matches.size()) + ${literal(" lines found.\n\n")} + ${lines}`;
    return {
      steps: [
        tool("search", "files.search", { query: queryOf(goal) ?? "", pattern }, `Search ${pattern}`),
        keep("matches.md", content, "search"),
      ],
      result: cel("steps.search.output.matches"),
    };
  },
};
