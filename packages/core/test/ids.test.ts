import fc from "fast-check";
import { expect, test } from "vitest";
import { defaultTenantId, uuidv7 } from "../src/index.ts";

const bytes = fc.uint8Array({ minLength: 10, maxLength: 16 });
const time = fc.nat({ max: 2 ** 48 - 1 });
const form = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

test("an id is a UUID of version 7 that tells its millisecond", () => {
  fc.assert(
    fc.property(time, bytes, (at, random) => {
      const id = uuidv7(at, random);
      expect(id).toMatch(form);
      expect(Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)).toBe(at);
    }),
  );
});

test("ids sort by time", () => {
  fc.assert(
    fc.property(time, time, bytes, bytes, (one, other, random, otherRandom) => {
      fc.pre(one !== other);
      expect(uuidv7(one, random) < uuidv7(other, otherRandom)).toBe(one < other);
    }),
  );
});

test("two ids of one millisecond differ in what is random", () => {
  const random = (seed: number) => Uint8Array.from({ length: 10 }, (_, at) => seed + at);
  expect(uuidv7(5, random(1))).not.toBe(uuidv7(5, random(2)));
  expect(uuidv7(5.9, random(1))).toBe(uuidv7(5, random(1)));
});

test("the default tenant is a UUID of version 7", () => {
  expect(defaultTenantId).toMatch(form);
});
