import { lstat } from "node:fs/promises";
import { BatonError } from "@baton/core";
import type { ToolCall } from "@baton/core/ports";
import { z } from "zod";
import { defineTool, type Tool } from "../definition/define.ts";
import { inputInvalid } from "../definition/refusals.ts";
import { createLineMatcher } from "../search/matcher.ts";
import { diskCode, openInside, openWorkspace, type Workspace } from "../workspace/confinement.ts";
import { compileGlob } from "../workspace/glob.ts";
import { decodeText } from "../workspace/text.ts";
import { type FoundFile, walkFiles } from "../workspace/walk.ts";

const pattern = z
  .string()
  .default("**/*")
  .describe("Glob relative to the workspace: ** folders, * ? [a-z] {a,b}. .git and node_modules only when named.");

const maxReadBytes = 16_000_000;
const statBatch = 32;

const listedFile = z.strictObject({
  path: z.string(),
  sizeBytes: z.int().nonnegative(),
  modifiedAt: z.iso.datetime(),
});

/** The folders that a task may name as its workspace; undefined = any. */
type Allowed = readonly string[] | undefined;

export function fileTools(allowed: Allowed): readonly Tool[] {
  return [listFiles(allowed), readFile(allowed), searchFiles(allowed)];
}

const listFiles = (allowed: Allowed) =>
  defineTool({
    name: "files.list",
    description: "Lists the files of the workspace folder that match a glob pattern, sorted by path.",
    effect: "read",
    input: z.strictObject({ pattern, max: z.int().min(1).max(100_000).default(10_000) }),
    output: z.strictObject({ files: z.array(listedFile), truncated: z.boolean() }),
    execute: async (input, call) => {
      const workspace = await openWorkspace(call, allowed);
      const files: z.infer<typeof listedFile>[] = [];
      for await (const batch of inBatches(walkFiles(workspace, compileGlob(input.pattern), call.signal), statBatch)) {
        for (const file of await Promise.all(batch.map(described))) {
          if (file === undefined) continue;
          if (files.length === input.max) return { files, truncated: true };
          files.push(file);
        }
      }
      return { files, truncated: false };
    },
  });

const readFile = (allowed: Allowed) =>
  defineTool({
    name: "files.read",
    description: "Reads one text file of the workspace folder as UTF-8.",
    effect: "read",
    input: z.strictObject({
      path: z.string().describe("Relative to the workspace, as files.list gives it."),
      maxBytes: z.int().min(1).max(maxReadBytes).default(1_000_000),
    }),
    output: z.strictObject({
      path: z.string(),
      text: z.string(),
      sizeBytes: z.int().nonnegative(),
      truncated: z.boolean(),
      warnings: z.array(z.string()).optional().describe("What was repaired: byte order mark, invalid UTF-8."),
    }),
    execute: async (input, call) => {
      const read = await readText(await openWorkspace(call, allowed), input.path, input.maxBytes, call);
      if (read.kind === "unreadable") throw inputInvalid("path", `"${input.path}" ${read.why}.`);
      const { path, text, sizeBytes, truncated, warnings } = read;
      return { path, text, sizeBytes, truncated, ...(warnings.length > 0 && { warnings: [...warnings] }) };
    },
  });

const searchFiles = (allowed: Allowed) =>
  defineTool({
    name: "files.search",
    description:
      "Finds lines in the text files of the workspace folder, ignoring case; binary and very large files are named as skipped.",
    effect: "read",
    input: z.strictObject({
      query: z.string().min(1).max(1_000),
      pattern,
      regex: z.boolean().default(false).describe("Take query as a JavaScript regular expression."),
      max: z.int().min(1).max(10_000).default(1_000),
    }),
    output: z.strictObject({
      matches: z.array(z.strictObject({ path: z.string(), line: z.int(), text: z.string() })),
      truncated: z.boolean(),
      skipped: z
        .array(z.strictObject({ path: z.string(), reason: z.string() }))
        .describe("The first 100 files that were not searched."),
      skippedCount: z.int(),
    }),
    execute: async (input, call) => {
      const workspace = await openWorkspace(call, allowed);
      const glob = compileGlob(input.pattern);
      await using matcher = createLineMatcher({ query: input.query, regex: input.regex, signal: call.signal });
      const matches: { path: string; line: number; text: string }[] = [];
      const skipped: { path: string; reason: string }[] = [];
      let skippedCount = 0;
      for await (const { path } of walkFiles(workspace, glob, call.signal)) {
        const read = await readText(workspace, path, maxReadBytes, call).catch(asSkipped);
        if (read.kind === "unreadable" || read.truncated) {
          skippedCount++;
          if (skipped.length < 100)
            skipped.push({ path, reason: read.kind === "unreadable" ? read.why : "is larger than 16 MB" });
          continue;
        }
        const room = input.max - matches.length;
        const found = await matcher.match(read.text, room + 1);
        matches.push(...found.slice(0, room).map((match) => ({ path, ...match })));
        if (found.length > room) return { matches, truncated: true, skipped, skippedCount };
      }
      return { matches, truncated: false, skipped, skippedCount };
    },
  });

type ReadText =
  | { kind: "text"; path: string; text: string; sizeBytes: number; truncated: boolean; warnings: readonly string[] }
  | { kind: "unreadable"; why: string };

/** One file that went away or may not be read does not fail a search over many. */
function asSkipped(error: unknown): ReadText {
  const isAboutFile =
    error instanceof BatonError && ["tool-input-invalid", "path-outside-workspace"].includes(error.code);
  if (!isAboutFile) throw error;
  return { kind: "unreadable", why: error.problems[0]?.detail ?? error.message };
}

async function readText(workspace: Workspace, path: string, maxBytes: number, call: ToolCall): Promise<ReadText> {
  const opened = await openInside(workspace, path);
  try {
    const bytes = await readUpTo(opened.file, maxBytes + 1, call.signal);
    const truncated = bytes.length > maxBytes;
    const decoded = decodeText(bytes.subarray(0, maxBytes), truncated);
    if (decoded.kind === "binary") return { kind: "unreadable", why: decoded.why };
    return { ...decoded, path: opened.path, sizeBytes: Math.max(opened.sizeBytes, bytes.length), truncated };
  } finally {
    await opened.file.close();
  }
}

/** Reads until the end or `limit`: fstat's size is not the truth for a file that grows. */
async function readUpTo(
  file: Awaited<ReturnType<typeof openInside>>["file"],
  limit: number,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  while (length < limit) {
    signal.throwIfAborted();
    const chunk = new Uint8Array(Math.min(256 * 1024, limit - length));
    const { bytesRead } = await file.read(chunk, 0, chunk.length, length);
    if (bytesRead === 0) break;
    chunks.push(chunk.subarray(0, bytesRead));
    length += bytesRead;
  }
  return Buffer.concat(chunks, length);
}

/** Undefined when the file went away after it was listed. */
async function described({ path, realPath }: FoundFile): Promise<z.infer<typeof listedFile> | undefined> {
  try {
    const status = await lstat(realPath);
    if (!status.isFile()) return undefined;
    return { path, sizeBytes: status.size, modifiedAt: status.mtime.toISOString() };
  } catch (error) {
    if (diskCode(error) === "ENOENT") return undefined;
    throw new BatonError("tool-failed", `"${path}" cannot be looked at (${diskCode(error)}).`, { cause: error });
  }
}

async function* inBatches<T>(items: AsyncIterable<T>, size: number): AsyncGenerator<T[]> {
  let batch: T[] = [];
  for await (const item of items) {
    batch.push(item);
    if (batch.length < size) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}
