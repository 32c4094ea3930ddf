import { inputInvalid } from "../definition/refusals.ts";

/** They describe the connection or name the callee, so they belong to the client alone. */
const ownHeaders = new Set([
  "accept-encoding",
  "connection",
  "content-length",
  "expect",
  "host",
  "http2-settings",
  "keep-alive",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

const maxHeaderBytes = 16_000;

/** Throws `tool-input-invalid` about `url`. */
export function checkedUrl(text: string): URL {
  const url = URL.parse(text);
  if (url === null) throw inputInvalid("url", "is not an absolute URL such as https://example.com/data.");
  if (url.protocol !== "http:" && url.protocol !== "https:")
    throw inputInvalid("url", `has the scheme "${url.protocol}"; use http or https.`);
  if (url.username !== "" || url.password !== "") {
    throw inputInvalid("url", "carries credentials, which would be kept in logs: send them in a header.");
  }
  return url;
}

/** Names in lower case. Throws `tool-input-invalid` about `headers`. */
export function checkedHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  const checked = new Map<string, string>();
  let size = 0;
  for (const [name, value] of Object.entries(headers)) {
    const lower = name.toLowerCase();
    if (!/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(lower)) throw inputInvalid("headers", `"${name}" is not a header name.`);
    if (!/^[\t\x20-\x7e\x80-\xff]*$/.test(value))
      throw inputInvalid("headers", `the value of "${name}" has characters that a header cannot carry.`);
    if (ownHeaders.has(lower) || lower.startsWith("proxy-"))
      throw inputInvalid("headers", `"${name}" is set by the client; leave it out.`);
    if (checked.has(lower)) throw inputInvalid("headers", `"${name}" is given twice.`);
    checked.set(lower, value);
    size += name.length + value.length;
  }
  if (size > maxHeaderBytes) throw inputInvalid("headers", `have ${size} bytes; at most ${maxHeaderBytes} are sent.`);
  return Object.fromEntries(checked);
}
