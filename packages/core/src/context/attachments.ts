/**
 * Files that stand in a message, as models are told of them.
 *
 * 1. A text enters the prompt as data under its name; an image beside it; of anything else only its name.
 * 2. What they hold was checked when the message came: here nothing is refused.
 */
import { z } from "zod";
import type { ModelImage } from "../ports/model.ts";
import { renderMaterial } from "./rendering.ts";

interface ToldAttachments {
  /** To be put behind the message. */
  readonly text: string;
  readonly images: readonly ModelImage[];
}

const attached = z.object({
  attachments: z.array(z.object({ name: z.string().optional(), mediaType: z.string(), url: z.string() })),
});

const dataUrl = /^data:([^;,]*)((?:;[^;,]*)*?)(;base64)?,([\s\S]*)$/;

/** The bytes that stand in a `data:` URL; undefined for any other URL, and for one that does not decode. */
export function decodeDataUrl(url: string): { readonly mediaType: string; readonly base64: string } | undefined {
  const [, mediaType = "", , isBase64, body = ""] = dataUrl.exec(url) ?? [];
  if (mediaType === "" || (isBase64 !== undefined && !/^[A-Za-z0-9+/]*={0,2}$/.test(body))) return undefined;
  if (isBase64 !== undefined) return { mediaType: mediaType.toLowerCase(), base64: body };
  try {
    return { mediaType: mediaType.toLowerCase(), base64: toBase64(new TextEncoder().encode(decodeURIComponent(body))) };
  } catch {
    return undefined;
  }
}

export const isText = (mediaType: string): boolean => mediaType.startsWith("text/") || mediaType === "application/json";

/** `input`: of the task that answers the message. */
export function tellAttachments(input: unknown): ToldAttachments {
  const read = attached.safeParse(input);
  if (!read.success) return { text: "", images: [] };
  const texts: { name: string; text: string }[] = [];
  const images: ModelImage[] = [];
  const named: string[] = [];
  for (const { name = "a file", mediaType, url } of read.data.attachments) {
    const decoded = decodeDataUrl(url);
    if (decoded !== undefined && isText(mediaType)) texts.push({ name, text: textOf(decoded.base64) });
    else if (decoded !== undefined && mediaType.startsWith("image/"))
      images.push({ mediaType, base64: decoded.base64 });
    else named.push(`${name} (${mediaType})`);
  }
  const note =
    named.length === 0
      ? ""
      : `\n\n(Attached, and not readable in this conversation: ${named.join(", ").slice(0, 500).toWellFormed()})`;
  return { text: `${renderMaterial(texts)}${note}`, images };
}

const toBase64 = (bytes: Uint8Array): string => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));

export const bytesOf = (base64: string): Uint8Array => Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));

const textOf = (base64: string): string => new TextDecoder().decode(bytesOf(base64));
