import { catalogue } from "@baton/core/events";
import { describe, expect, it } from "vitest";

const types = catalogue.options.map((option) => option.shape.type.value);

describe("the event catalogue", () => {
  it("names each event once, in lower case with dashes", () => {
    expect(types).toEqual([...new Set(types)]);
    for (const type of types) expect(type).toMatch(/^[a-z]+(?:-[a-z]+)*$/);
  });

  it("keeps fields of a newer version out without refusing the event", () => {
    expect(catalogue.parse({ type: "note", data: { message: "hello", colour: "red" } })).toEqual({
      type: "note",
      data: { message: "hello" },
    });
  });

  it("refuses states and kinds that the lifecycle does not know", () => {
    const moved = (to: string) => catalogue.safeParse({ type: "task-state-changed", data: { from: "pending", to } });
    expect(moved("running").success).toBe(true);
    expect(moved("dreaming").success).toBe(false);
    expect(catalogue.safeParse({ type: "task-dreamt", data: {} }).success).toBe(false);
  });
});
