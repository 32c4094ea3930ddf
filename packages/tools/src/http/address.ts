import { isIP } from "node:net";
import ipaddr from "ipaddr.js";

/** Global unicast by number, but each cloud's own host behind it: Azure's platform address (metadata, DNS). */
const platformAddresses = new Set(["168.63.129.16"]);

/**
 * Why an address may not be dialled, or undefined for a global unicast one. Forms that carry an IPv4 address
 * which the kernel or a gateway would dial (::ffff:0:0/96, NAT64 64:ff9b::/96) are judged by that address;
 * 6to4, Teredo and the other tunnelling forms are refused as such. Outside 2000::/3 nothing is global
 * unicast (IANA IPv6 address space registry).
 */
export function addressProblem(address: string): string | undefined {
  if (isIP(address) === 0) return "is not an IP address";
  if (isIP(address) === 4) return v4Problem(ipaddr.IPv4.parse(address));
  // The URL parser writes IPv6 in hexadecimal only: ipaddr.js reads "::1.2.3.4" as the mapped "::ffff:1.2.3.4".
  const canonicalForm = URL.parse(`http://[${address}]/`)?.hostname.slice(1, -1);
  if (canonicalForm === undefined) return "names a network interface";
  const parsed = ipaddr.IPv6.parse(canonicalForm);
  const range = parsed.range();
  if (range === "ipv4Mapped") return v4Problem(parsed.toIPv4Address());
  const bytes = parsed.toByteArray();
  const isWellKnownNat64 =
    range === "rfc6052" && bytes.slice(0, 12).every((byte, index) => byte === nat64Prefix[index]);
  if (isWellKnownNat64) return v4Problem(new ipaddr.IPv4(bytes.slice(12)));
  if (range !== "unicast") return `is a ${range} address`;
  return ((bytes[0] ?? 0) & 0xe0) === 0x20 ? undefined : "is not a global unicast address";
}

const nat64Prefix = [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0];

function v4Problem(address: ipaddr.IPv4): string | undefined {
  const range = address.range();
  if (range !== "unicast") return `is a ${range} address`;
  return platformAddresses.has(address.toString()) ? "is a cloud platform's own address" : undefined;
}
