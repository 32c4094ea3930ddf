/**
 * A JSON value as text that a model reads: strings stand as they are, without JSON's escapes, so that a
 * quotation from the text is a quotation from the source.
 */
export function readable(value: unknown): string {
  if (typeof value === "string") return value;
  if (value === null || typeof value !== "object") return JSON.stringify(value) ?? "";
  const text = JSON.stringify(value, undefined, 1);
  return hasLongText(value) ? sections(value, 0) : text;
}

/** Whether quoting a string as JSON would change how it reads. */
function hasLongText(value: unknown): boolean {
  if (typeof value === "string") return value.includes("\n") || value.includes('"') || value.length > 200;
  if (value === null || typeof value !== "object") return false;
  return Object.values(value).some(hasLongText);
}

function sections(value: object, depth: number): string {
  const entries: [string, unknown][] = Array.isArray(value)
    ? value.map((child, index) => [`${index + 1}.`, child])
    : Object.entries(value).map(([key, child]) => [`${key}:`, child]);
  const indent = "  ".repeat(depth);
  return entries
    .map(([label, child]) => {
      if (typeof child === "string" && hasLongText(child)) return `${indent}${label}\n${child}\n`;
      if (child !== null && typeof child === "object" && hasLongText(child))
        return `${indent}${label}\n${sections(child, depth + 1)}`;
      return `${indent}${label} ${typeof child === "string" ? child : JSON.stringify(child)}`;
    })
    .join("\n");
}
