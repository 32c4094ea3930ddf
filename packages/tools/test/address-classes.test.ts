import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { addressProblem } from "../src/http/address.ts";

/** The IANA special-purpose registry for IPv4 and multicast, as [first octets, prefix length]. */
const special4: readonly (readonly [number, number])[] = (
  [
    ["0.0.0.0", 8],
    ["10.0.0.0", 8],
    ["100.64.0.0", 10],
    ["127.0.0.0", 8],
    ["169.254.0.0", 16],
    ["172.16.0.0", 12],
    ["192.0.0.0", 24],
    ["192.0.2.0", 24],
    ["192.31.196.0", 24],
    ["192.52.193.0", 24],
    ["192.88.99.0", 24],
    ["192.168.0.0", 16],
    ["192.175.48.0", 24],
    ["198.18.0.0", 15],
    ["198.51.100.0", 24],
    ["203.0.113.0", 24],
    ["224.0.0.0", 4],
    ["240.0.0.0", 4],
  ] as const
).map(([network, length]) => [toNumber(network), length]);

function toNumber(address: string): number {
  return address.split(".").reduce((number, octet) => number * 256 + Number(octet), 0);
}

function toText(number: number): string {
  return [24, 16, 8, 0].map((shift) => (number >>> shift) & 255).join(".");
}

const platform = toNumber("168.63.129.16");
const isSpecial4 = (number: number): boolean =>
  number === platform || special4.some(([network, length]) => number >>> (32 - length) === network >>> (32 - length));

/** Uniform, and at the edges of every range, where mistakes live. */
const address4 = fc.oneof(
  fc.nat(0xffff_ffff),
  fc
    .tuple(fc.constantFrom(...special4), fc.constantFrom(-1, 0, 1), fc.boolean())
    .map(([[network, length], step, isEnd]) => (network + (isEnd ? 2 ** (32 - length) - 1 : 0) + step) >>> 0),
);

function hex(number: number): string {
  return `${(number >>> 16).toString(16)}:${(number & 0xffff).toString(16)}`;
}

describe("an address may be dialled", () => {
  test("exactly when it is IPv4 outside every special range", () => {
    fc.assert(
      fc.property(address4, (number) => {
        expect(addressProblem(toText(number)) === undefined).toBe(!isSpecial4(number));
      }),
      { numRuns: 5_000 },
    );
  });

  test("in its mapped and NAT64 forms exactly when the IPv4 inside may be", () => {
    fc.assert(
      fc.property(address4, (number) => {
        const isOpen = !isSpecial4(number);
        for (const form of [
          `::ffff:${toText(number)}`,
          `::ffff:${hex(number)}`,
          `0:0:0:0:0:FFFF:${hex(number)}`,
          `64:ff9b::${toText(number)}`,
          `64:ff9b::${hex(number)}`,
        ]) {
          expect([form, addressProblem(form) === undefined]).toEqual([form, isOpen]);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  test("never as IPv4-compatible, translated, 6to4, local NAT64 or Teredo, whatever is inside", () => {
    fc.assert(
      fc.property(address4, (number) => {
        for (const form of [
          `::${toText(number)}`,
          `::ffff:0:${toText(number)}`,
          `2002:${hex(number)}::1`,
          `64:ff9b:1::${toText(number)}`,
          `2001:0:${hex(number)}::1`,
        ]) {
          expect([form, addressProblem(form)]).toEqual([form, expect.any(String)]);
        }
      }),
      { numRuns: 1_000 },
    );
  });

  test("as IPv6 only below 2000::/3", () => {
    const group = fc.nat(0xffff);
    fc.assert(
      fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), (groups) => {
        const address = groups.map((value) => value.toString(16)).join(":");
        if (addressProblem(address) === undefined) expect((groups[0] ?? 0) >>> 13).toBe(1);
      }),
      { numRuns: 2_000 },
    );
  });

  test.each(["2606:4700:4700::1111", "2a00:1450:4001:81b::200e", "8.8.8.8", "1.1.1.1"])("%s", (address) => {
    expect(addressProblem(address)).toBeUndefined();
  });
});

test.each([
  "::",
  "::1",
  "fe80::1",
  "fe80::1%eth0",
  "fec0::1",
  "fc00::1",
  "fd00:ec2::254",
  "ff02::1",
  "100::1",
  "2001:db8::1",
  "3fff::1",
  "4000::1",
  "5f00::1",
  "169.254.169.254",
  "168.63.129.16",
  "",
  "localhost",
  "8.8.8",
  "0x08.8.8.8",
  "010.8.8.8",
  "8.8.8.8 ",
  "134744072",
])("%j may not be dialled", (address) => {
  expect(addressProblem(address)).toEqual(expect.any(String));
});
