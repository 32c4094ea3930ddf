import { isUtf8 } from "node:buffer";

export type DecodedText =
  | { readonly kind: "text"; readonly text: string; readonly warnings: readonly string[] }
  | { readonly kind: "binary"; readonly why: string };

/**
 * UTF-8 as text that a jsonb column takes. A byte order mark is removed and invalid bytes become U+FFFD,
 * each with a warning; NUL bytes mean binary. `cut`: the end may fall into a character, which is dropped.
 */
export function decodeText(bytes: Uint8Array, cut: boolean): DecodedText {
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)) {
    return { kind: "binary", why: "is UTF-16 text; convert it to UTF-8" };
  }
  if (bytes.includes(0)) return { kind: "binary", why: "contains NUL bytes, so it is not text" };
  const whole = cut ? bytes.subarray(0, wholeCharacters(bytes)) : bytes;
  const warnings: string[] = [];
  if (whole[0] === 0xef && whole[1] === 0xbb && whole[2] === 0xbf) warnings.push("a byte order mark was removed");
  if (!isUtf8(whole)) warnings.push("bytes that are not valid UTF-8 were replaced by U+FFFD");
  return { kind: "text", text: new TextDecoder().decode(whole), warnings };
}

/** The length without an incomplete last character (a UTF-8 character has at most 4 bytes). */
function wholeCharacters(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back] ?? 0;
    if ((byte & 0b1100_0000) === 0b1000_0000) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return length > back ? bytes.length - back : bytes.length;
  }
  return bytes.length;
}
