import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { variables } from "../src/environment.ts";

describe("docs/environment.json", () => {
  it("names exactly the variables that are read", () => {
    const path = new URL("../../../docs/environment.json", import.meta.url);
    const documented = JSON.parse(readFileSync(path, "utf8")) as { variables: { name: string; meaning: string }[] };
    const names = documented.variables.map((each) => each.name);
    expect(names.toSorted()).toEqual(Object.keys(variables).toSorted());
    expect(documented.variables.every((each) => each.meaning.length > 10)).toBe(true);
  });
});
