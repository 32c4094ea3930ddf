/**
 * Reads a JSON body that nobody has vouched for.
 *
 * Purpose: bytes to a value that may be stored, or an error that names the place. Boundary: shape is
 * checked by the contracts afterwards.
 *
 * 1. Never more than the limit's bytes are held, with or without a Content-Length.
 * 2. Nesting is measured on the text, before JSON.parse: a body nested 100,000 deep costs one pass.
 */
import { bodyLimits, requireStorable } from "@baton/contracts";
import { BatonError } from "@baton/core";

export interface ReadBody {
  readonly bytes: Uint8Array;
  /** undefined when the body is empty. */
  readonly value: unknown;
}

function tooLarge(limitBytes: number): BatonError {
  return new BatonError(
    "payload-too-large",
    `The body is larger than ${limitBytes} bytes; send less, or put material into files.`,
  );
}

function brokeOff(cause: unknown): never {
  throw new BatonError("invalid-request", "The body broke off before its end; send it again.", { cause });
}

async function readBytes(request: Request, limitBytes: number): Promise<Uint8Array> {
  const declared = Number(request.headers.get("content-length") ?? Number.NaN);
  if (declared > limitBytes) throw tooLarge(limitBytes);
  // HTTP ends such a body at its length. As a stream, a body of 1 kB costs as much as the rest of the request.
  if (declared <= limitBytes) return new Uint8Array(await request.arrayBuffer().catch(brokeOff));
  const parts: Uint8Array[] = [];
  let size = 0;
  if (request.body === null) return new Uint8Array(0);
  const reader = request.body.getReader();
  for (;;) {
    const { done, value } = await reader.read().catch(brokeOff);
    if (done) break;
    size += value.byteLength;
    if (size > limitBytes) {
      await reader.cancel().catch(() => undefined);
      throw tooLarge(limitBytes);
    }
    parts.push(value);
  }
  return new Uint8Array(Buffer.concat(parts, size));
}

/** How deep brackets nest outside strings; stops counting past `limit`. */
function nestsDeeperThan(text: string, limit: number): boolean {
  let depth = 0;
  let inString = false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (inString) {
      if (code === 0x5c) at++;
      else if (code === 0x22) inString = false;
    } else if (code === 0x22) inString = true;
    else if (code === 0x7b || code === 0x5b) {
      depth++;
      if (depth > limit) return true;
    } else if (code === 0x7d || code === 0x5d) depth--;
  }
  return false;
}

function parse(text: string): unknown {
  const { depth } = bodyLimits;
  if (nestsDeeperThan(text, depth)) {
    throw new BatonError("nesting-too-deep", `The body nests arrays and objects deeper than ${depth}; flatten it.`);
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : "it cannot be read";
    throw new BatonError("invalid-json", `The body is not JSON: ${why}`, { cause });
  }
}

function isJson(contentType: string | null): boolean {
  const [media = "", ...parameters] = (contentType ?? "")
    .toLowerCase()
    .split(";")
    .map((part) => part.trim());
  const charset = parameters.find((parameter) => parameter.startsWith("charset="));
  const inUtf8 = charset === undefined || /^charset="?utf-?8"?$/.test(charset);
  return inUtf8 && (media === "application/json" || /^application\/[a-z0-9.+-]+\+json$/.test(media));
}

/** @throws BatonError unsupported-media-type, payload-too-large, nesting-too-deep, invalid-json or invalid-request */
export async function readJsonBody(request: Request, limitBytes: number = bodyLimits.bytes): Promise<ReadBody> {
  const bytes = await readBytes(request, limitBytes);
  if (bytes.byteLength === 0) return { bytes, value: undefined };
  const contentType = request.headers.get("content-type");
  if (!isJson(contentType)) {
    const got = contentType === null ? "there is no Content-Type" : `the Content-Type is ${contentType.slice(0, 100)}`;
    throw new BatonError("unsupported-media-type", `Send the body as application/json in UTF-8; ${got}.`);
  }
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new BatonError("invalid-json", "The body is not valid UTF-8; encode it as UTF-8.", { cause });
  }
  const value = parse(text);
  requireStorable(value);
  return { bytes, value };
}
