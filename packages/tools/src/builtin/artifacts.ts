import { z } from "zod";
import { defineTool } from "../definition/define.ts";
import { inputInvalid } from "../definition/refusals.ts";
import { decodeText } from "../workspace/text.ts";

const maxArtifactBytes = 32_000_000;

/** By the end of the name; what is not listed is text/plain, since the tool writes text. */
const mediaTypes: Readonly<Record<string, string>> = {
  ".csv": "text/csv",
  ".html": "text/html",
  ".json": "application/json",
  ".md": "text/markdown",
  ".svg": "image/svg+xml",
  ".toml": "application/toml",
  ".xml": "application/xml",
  ".yaml": "application/yaml",
  ".yml": "application/yaml",
};

const artifactRef = z.strictObject({
  artifactId: z.string(),
  name: z.string(),
  mediaType: z.string(),
  sizeBytes: z.int().nonnegative(),
});

export const writeArtifact = defineTool({
  name: "artifact.write",
  description: "Keeps a text as an artifact of the task, which people can download and later steps can read.",
  effect: "idempotent",
  input: z.strictObject({
    name: z.string().min(1).max(200).describe("A file name such as report.md; folders with / are allowed."),
    content: z.string(),
    mediaType: z
      .string()
      .max(100)
      .regex(/^[a-z]+\/[a-z0-9.+-]+(; ?charset=[a-z0-9-]+)?$/i, "must be a media type such as text/markdown")
      .optional(),
  }),
  output: artifactRef,
  execute: async ({ name, content, mediaType }, call) => {
    checkName(name);
    const bytes = new TextEncoder().encode(content);
    if (bytes.length > maxArtifactBytes)
      throw inputInvalid("content", `has ${bytes.length} bytes; at most ${maxArtifactBytes} are kept.`);
    const ending = /\.[a-z0-9]+$/i.exec(name)?.[0].toLowerCase() ?? "";
    return call.writeArtifact({ name, mediaType: mediaType ?? mediaTypes[ending] ?? "text/plain", content: bytes });
  },
});

export const readArtifact = defineTool({
  name: "artifact.read",
  description: "Reads an artifact of the task as UTF-8 text.",
  effect: "read",
  input: z.strictObject({
    artifactId: z.string().min(1).max(100),
    maxBytes: z.int().min(1).max(maxArtifactBytes).default(1_000_000),
  }),
  output: artifactRef.extend({
    text: z.string(),
    truncated: z.boolean(),
    warnings: z.array(z.string()).optional().describe("What was repaired: byte order mark, invalid UTF-8."),
  }),
  execute: async ({ artifactId, maxBytes }, call) => {
    const { ref, content } = await call.readArtifact(artifactId);
    const truncated = content.length > maxBytes;
    const decoded = decodeText(content.subarray(0, maxBytes), truncated);
    if (decoded.kind === "binary") throw inputInvalid("artifactId", `the artifact "${ref.name}" ${decoded.why}.`);
    const { text, warnings } = decoded;
    return { ...ref, text, truncated, ...(warnings.length > 0 && { warnings: [...warnings] }) };
  },
});

/** Clients save artifacts to disk under their names, so a name is a relative path on every platform. */
function checkName(name: string): void {
  const isSafe =
    !/[\p{Cc}\\:*?"<>|]/u.test(name) &&
    name.split("/").every((segment) => segment !== "" && segment !== "." && segment !== ".." && !/[ .]$/.test(segment));
  if (!isSafe) {
    throw inputInvalid(
      "name",
      'must be a relative file name without "..", "\\", ":" or control characters, such as reports/summary.md.',
    );
  }
}
