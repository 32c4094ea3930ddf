/**
 * Files in messages.
 *
 * 1. A file stands in its message as a `data:` URL: nothing is fetched for anybody.
 * 2. It is what it says it is, or it is refused: the first bytes of an image, the UTF-8 of a text.
 */
import { BatonError } from "@baton/core";
import { bytesOf, decodeDataUrl, isText } from "@baton/core/context";

const imageTypes: Readonly<Record<string, (bytes: Buffer) => boolean>> = {
  "image/png": (bytes) => bytes.subarray(0, 8).equals(Buffer.from("89504e470d0a1a0a", "hex")),
  "image/jpeg": (bytes) => bytes.subarray(0, 3).equals(Buffer.from("ffd8ff", "hex")),
  "image/gif": (bytes) => /^GIF8[79]a/.test(bytes.toString("latin1", 0, 6)),
  "image/webp": (bytes) => bytes.toString("latin1", 0, 4) === "RIFF" && bytes.toString("latin1", 8, 12) === "WEBP",
};

const taken = "Attach a text (text/*, application/json) or an image (PNG, JPEG, GIF, WebP).";

function refuse(pointer: string, detail: string): never {
  throw new BatonError("attachment-refused", detail, { problems: [{ pointer, detail }] });
}

interface Attachment {
  readonly mediaType: string;
  readonly url: string;
  readonly name: string | undefined;
}

/** @throws BatonError attachment-refused */
export function checkAttachment(
  { mediaType: declared, url, name }: Attachment,
  pointer: string,
  takesImages: boolean,
): { readonly name?: string; readonly mediaType: string; readonly url: string } {
  const [mediaType = ""] = declared.toLowerCase().split(";");
  const isImage = Object.hasOwn(imageTypes, mediaType);
  if (!isImage && !isText(mediaType)) refuse(`${pointer}/mediaType`, `${declared} cannot be read here. ${taken}`);
  if (isImage && !takesImages)
    refuse(`${pointer}/mediaType`, "The model takes no images. Choose another one in `chatModel`, or describe it.");
  const decoded = decodeDataUrl(url);
  if (decoded === undefined) refuse(`${pointer}/url`, "Put the file itself there, as a data: URL.");
  if (decoded.mediaType !== mediaType)
    refuse(`${pointer}/url`, `It says ${decoded.mediaType}, and mediaType says ${mediaType}.`);
  const bytes = Buffer.from(bytesOf(decoded.base64));
  if (bytes.length === 0) refuse(`${pointer}/url`, "The file is empty.");
  if (isImage && imageTypes[mediaType]?.(bytes) !== true)
    refuse(`${pointer}/url`, `Its first bytes are not those of ${mediaType}.`);
  if (!isImage && !isPlainText(bytes)) refuse(`${pointer}/url`, "It is not UTF-8 text.");
  return { mediaType, url, ...(name === undefined ? {} : { name }) };
}

function isPlainText(bytes: Buffer): boolean {
  try {
    return !new TextDecoder("utf-8", { fatal: true }).decode(bytes).includes("\u0000");
  } catch {
    return false;
  }
}
