/**
 * From a server's result to a tool's output.
 *
 * 1. Text stays text; images, audio and other bytes become artifacts of the task, and so does a text that is too long for
 *    a prompt, with its beginning in the output.
 * 2. `structured` is left out where it only says again what the text says.
 * 3. What cannot be kept is named in `warnings`; it never fails a call that was answered.
 */
import type { ArtifactRef, ToolCall } from "@baton/core/ports";

export interface McpOutput {
  readonly text: string;
  readonly structured?: unknown;
  readonly artifacts?: readonly ArtifactRef[];
  readonly links?: readonly { readonly uri: string; readonly name: string }[];
  readonly warnings?: readonly string[];
}

export const outputSchema: Readonly<Record<string, unknown>> = {
  type: "object",
  properties: {
    text: { type: "string" },
    structured: {},
    artifacts: { type: "array", items: { type: "object" } },
    links: { type: "array", items: { type: "object" } },
    warnings: { type: "array", items: { type: "string" } },
  },
  required: ["text"],
};

export interface ContentBlock {
  readonly type: string;
  readonly text?: unknown;
  readonly data?: unknown;
  readonly mimeType?: unknown;
  readonly uri?: unknown;
  readonly name?: unknown;
  readonly resource?: unknown;
}

export interface CallResult {
  readonly content: readonly ContentBlock[];
  readonly structuredContent?: unknown;
}

/** A prompt takes a fraction of it. */
const longestText = 256_000;
const previewChars = 4_000;
const largestArtifact = 32_000_000;
const mostBlocks = 1_000;

const endings: Readonly<Record<string, string>> = {
  "image/png": "png",
  "image/jpeg": "jpg",
  "image/gif": "gif",
  "image/webp": "webp",
  "image/svg+xml": "svg",
  "audio/wav": "wav",
  "audio/mpeg": "mp3",
  "application/pdf": "pdf",
  "application/json": "json",
  "text/plain": "txt",
};

export async function outputOf(
  tool: string,
  result: CallResult,
  call: Pick<ToolCall, "writeArtifact">,
): Promise<McpOutput> {
  const texts: string[] = [];
  const artifacts: ArtifactRef[] = [];
  const links: { uri: string; name: string }[] = [];
  const warnings: string[] = [];
  const keep = async (content: Uint8Array, mediaType: string): Promise<void> => {
    if (content.length > largestArtifact) {
      warnings.push(`${mediaType} of ${content.length} bytes is left out: at most ${largestArtifact} are kept`);
      return;
    }
    const name = `${tool.replace(/[^A-Za-z0-9-]/g, "_")}-${artifacts.length + 1}.${endings[mediaType] ?? "bin"}`;
    artifacts.push(await call.writeArtifact({ name, mediaType, content }));
  };
  if (result.content.length > mostBlocks)
    warnings.push(`only the first ${mostBlocks} of ${result.content.length} parts are kept`);
  for (const block of result.content.slice(0, mostBlocks)) {
    const { type, text, data, mimeType, uri, name, resource } = block;
    if (type === "text") texts.push(String(text ?? ""));
    else if (type === "image" || type === "audio") await keep(bytesOf(data), mediaTypeOf(mimeType));
    else if (type === "resource_link") links.push({ uri: short(uri), name: short(name ?? uri) });
    else if (type === "resource" && isRecord(resource)) {
      if (typeof resource["text"] === "string") texts.push(resource["text"]);
      else await keep(bytesOf(resource["blob"]), mediaTypeOf(resource["mimeType"]));
    } else warnings.push(`a part of the type ${JSON.stringify(short(type))} is left out`);
  }
  let text = texts.join("\n");
  let structured = saysAgain(result.structuredContent, text) ? undefined : result.structuredContent;
  if (text.length > longestText) {
    const length = text.length;
    await keep(new TextEncoder().encode(text), "text/plain");
    text = text.slice(0, previewChars).toWellFormed();
    warnings.push(`the text is the beginning of ${length} characters: the whole is an artifact`);
  }
  const json = structured === undefined ? "" : JSON.stringify(structured);
  if (json.length > longestText) {
    await keep(new TextEncoder().encode(json), "application/json");
    structured = undefined;
    warnings.push(`structured has ${json.length} characters of JSON: it is an artifact`);
  }
  return {
    text,
    ...(structured !== undefined && { structured }),
    ...(artifacts.length > 0 && { artifacts }),
    ...(links.length > 0 && { links }),
    ...(warnings.length > 0 && { warnings }),
  };
}

/** The text of a result that is an error. */
export function errorTextOf({ content }: CallResult): string {
  const texts = content.flatMap(({ type, text }) => (type === "text" && typeof text === "string" ? [text] : []));
  return texts.join("\n").trim() || "it gave no reason";
}

/** Servers repeat structured content as its JSON, and wrap a text as the one field of an object. */
function saysAgain(structured: unknown, text: string): boolean {
  if (structured === undefined || structured === null) return true;
  if (isRecord(structured)) {
    const [only, ...more] = Object.values(structured);
    if (more.length === 0 && only === text) return true;
  }
  try {
    return JSON.stringify(JSON.parse(text)) === JSON.stringify(structured);
  } catch {
    return false;
  }
}

const bytesOf = (data: unknown): Uint8Array => Buffer.from(typeof data === "string" ? data : "", "base64");

const mediaTypeOf = (given: unknown): string =>
  typeof given === "string" && /^[a-z]+\/[a-z0-9.+-]{1,100}$/i.test(given)
    ? given.toLowerCase()
    : "application/octet-stream";

const short = (given: unknown): string =>
  String(given ?? "")
    .slice(0, 2_000)
    .toWellFormed();

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
