/**
 * Names of a server's tools.
 *
 * 1. A name is plain ASCII: a letter that only looks like another is refused.
 * 2. Of names that look alike, the one that was accepted before is kept; among newcomers all are refused, since nobody
 *    can tell which is meant.
 */
const plainName = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,79}$/;

/** Why no tool may have that name; undefined: it may. */
export function nameProblem(name: string): string | undefined {
  if (plainName.test(name)) return undefined;
  return "its name is not made of 1 to 80 letters a-z, digits, and _ . - in between";
}

/** Equal for names that a person or a model takes for one another. */
function looksOf(name: string): string {
  return name
    .toLowerCase()
    .replace(/[_.-]/g, "")
    .replace(/0/g, "o")
    .replace(/[1i|]/g, "l")
    .replace(/rn/g, "m")
    .replace(/vv/g, "w");
}

/** For each refused name, what it looks like. */
export function lookAlikes(names: readonly string[], accepted: ReadonlySet<string>): ReadonlyMap<string, string> {
  const groups = Map.groupBy(names, looksOf);
  const refused = new Map<string, string>();
  for (const group of groups.values()) {
    if (group.length < 2) continue;
    const kept = group.filter((name) => accepted.has(name));
    for (const name of group) {
      const other = (kept.length > 0 ? kept : group).find((each) => each !== name) ?? name;
      if (kept.length !== 1 || kept[0] !== name) {
        if (!accepted.has(name)) refused.set(name, other);
      }
    }
  }
  return refused;
}
