import { BatonError } from "@baton/core";
import type { ToolCall } from "@baton/core/ports";
import { z } from "zod";
import { defineTool, type Tool } from "../definition/define.ts";
import { inputInvalid } from "../definition/refusals.ts";
import type { GuardedHttp, GuardedRequest, GuardedResponse } from "../http/client.ts";

const maxRequestBytes = 4_000_000;

const url = z.string().max(8_000).describe("An absolute http or https URL without credentials.");
const headers = z.record(z.string(), z.string()).optional();

const answer = z.strictObject({
  status: z.int().describe("4xx answers and redirects (not followed) are data; from 500 on the tool fails."),
  headers: z.record(z.string(), z.string()),
  text: z.string(),
  truncated: z.boolean(),
  warnings: z.array(z.string()).optional().describe("What was repaired to make the body a text."),
});

export function httpTools(http: GuardedHttp): readonly Tool[] {
  const get = defineTool({
    name: "http.get",
    description: "Fetches a URL and returns its status, headers and body as text.",
    effect: "read",
    input: z.strictObject({ url, headers, maxBytes: z.int().min(1).max(16_000_000).default(1_000_000) }),
    output: answer,
    execute: (input, call) => exchange(http, { method: "GET", ...defined(input), signal: call.signal }),
  });
  const request = defineTool({
    name: "http.request",
    description: "Sends a POST, PUT, PATCH or DELETE request with an Idempotency-Key header; for reading use http.get.",
    effect: "write",
    input: z.strictObject({
      method: z.enum(["POST", "PUT", "PATCH", "DELETE"]),
      url,
      headers,
      body: z.unknown().optional().describe("A string is sent as it is, anything else as JSON."),
    }),
    output: answer,
    execute: (input, call) => exchange(http, writing(input, call)),
  });
  return [get, request];
}

function writing(
  input: { method: string; url: string; headers?: Record<string, string> | undefined; body?: unknown },
  call: ToolCall,
): GuardedRequest {
  const given = input.headers ?? {};
  const has = (name: string): boolean => Object.keys(given).some((key) => key.toLowerCase() === name);
  if (has("idempotency-key")) throw inputInvalid("headers", '"Idempotency-Key" is set by the tool; leave it out.');
  const { body } = input;
  const isJson = body !== undefined && typeof body !== "string";
  const text = isJson ? JSON.stringify(body) : body;
  if (text !== undefined && Buffer.byteLength(text) > maxRequestBytes)
    throw inputInvalid("body", `has more than ${maxRequestBytes} bytes.`);
  return {
    method: input.method,
    url: input.url,
    headers: {
      ...given,
      ...(isJson && !has("content-type") && { "content-type": "application/json" }),
      "idempotency-key": call.idempotencyKey,
    },
    ...(text !== undefined && { body: text }),
    signal: call.signal,
  };
}

async function exchange(http: GuardedHttp, request: GuardedRequest): Promise<z.input<typeof answer>> {
  const response = await http.request(request);
  const { status, truncated } = response;
  if (status >= 500) {
    const { origin, pathname } = new URL(request.url);
    const retryAfter = response.headers["retry-after"];
    throw new BatonError("tool-failed", `${request.method} ${origin}${pathname} answered ${status}.`, {
      details: { sent: true, status, ...(retryAfter !== undefined && { retryAfter }) },
    });
  }
  const { text, warnings } = bodyText(response);
  return { status, headers: response.headers, text, truncated, ...(warnings.length > 0 && { warnings }) };
}

/** A body never makes an answered request fail: what cannot be text is repaired or left out, and said so. */
function bodyText({ headers: received, body }: GuardedResponse): { text: string; warnings: string[] } {
  const encoding = received["content-encoding"]?.trim().toLowerCase() ?? "identity";
  if (encoding !== "identity" && encoding !== "") {
    return { text: "", warnings: [`the body came as ${encoding} although identity was asked for; it is left out`] };
  }
  const warnings: string[] = [];
  const charset = /charset="?([^\s";]+)/i.exec(received["content-type"] ?? "")?.[1] ?? "utf-8";
  let decoder: InstanceType<typeof TextDecoder>;
  try {
    decoder = new TextDecoder(charset);
  } catch {
    warnings.push(`the charset ${charset} is not known; the body is read as utf-8`);
    decoder = new TextDecoder();
  }
  const decoded = decoder.decode(body);
  const text = decoded.replaceAll("\0", "\uFFFD");
  if (text !== decoded) warnings.push("NUL characters were replaced by U+FFFD");
  return { text, warnings };
}

/** Without the keys whose value is undefined, as exactOptionalPropertyTypes wants it. */
function defined(input: { url: string; headers?: Record<string, string> | undefined; maxBytes: number }): {
  url: string;
  headers?: Record<string, string>;
  maxBytes: number;
} {
  const { headers: given, ...rest } = input;
  return given === undefined ? rest : { ...rest, headers: given };
}
