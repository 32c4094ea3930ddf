import { BatonError } from "@baton/core";
import { boundedText, jsonPointer } from "@baton/core/json";

const pointerTo = (name: string): string => boundedText(jsonPointer([name]), 500);

/** Query parameters as an object; one that is given twice is refused, since only one could be obeyed. */
export function queryOf(url: URL): Record<string, string> {
  const query: Record<string, string> = {};
  for (const [name, value] of url.searchParams) {
    if (Object.hasOwn(query, name)) {
      const detail = "is given twice; give it once";
      throw new BatonError("invalid-request", `The query parameter "${name.slice(0, 100)}" ${detail}.`, {
        problems: [{ pointer: pointerTo(name), detail }],
        details: { in: "query" },
      });
    }
    if (value.includes("\0") || name.includes("\0")) {
      throw new BatonError("invalid-request", "The query contains a NUL character; remove it.", {
        problems: [{ pointer: pointerTo(name), detail: "contains a NUL character; remove it" }],
        details: { in: "query" },
      });
    }
    Object.defineProperty(query, name, { value, enumerable: true, configurable: true, writable: true });
  }
  return query;
}
