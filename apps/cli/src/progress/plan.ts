/** The plan as a list, one line per step. */
import type { Console } from "../console/console.ts";
import { columnsOf, fit, oneLine } from "../console/text.ts";
import type { TrackedStep } from "./tracker.ts";

export function planLines(steps: readonly TrackedStep[], console: Console, columns: number): readonly string[] {
  const keyOf = new Map(steps.map(({ id, key }) => [id, key]));
  const keys = Math.min(20, Math.max(...steps.map(({ key }) => columnsOf(oneLine(key))), 0));
  return steps.map(({ key, type, description, dependsOn }, at) => {
    const after = dependsOn.map((id) => keyOf.get(id) ?? "").filter((name) => name !== "");
    const head = `${String(at + 1).padStart(3)}  ${fit(oneLine(key), keys, true)}  ${type.padEnd(13)} `;
    const tail = after.length === 0 ? "" : `  after ${after.map(oneLine).join(", ")}`;
    const room = Math.max(12, columns - columnsOf(head) - columnsOf(tail));
    const shownTail = fit(tail, Math.max(0, columns - columnsOf(head) - 12));
    return `${head}${fit(oneLine(description), room)}${console.paintData("dim", shownTail)}`;
  });
}
