/**
 * The import graph of the repository, from the syntax trees of its sources.
 *
 * Boundary: it resolves specifiers to files, rooms, vendors and Node's own modules, and judges none of them.
 * 1. Every form counts: import, export from, import type, a literal `import()`, and `import("…")` as a type.
 * 2. A file that does not parse is an error, never an empty file.
 */
import { existsSync, readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import path from "node:path";
import { parseSync, Visitor } from "oxc-parser";
import { listFiles, type Room } from "../workspace/workspace.ts";

export type Target =
  | { readonly kind: "file"; readonly file: string }
  | { readonly kind: "builtin"; readonly name: string }
  | { readonly kind: "vendor"; readonly name: string };

export interface Import {
  readonly specifier: string;
  readonly target: Target;
}

export interface Module {
  readonly file: string;
  /** The folder of the room. */
  readonly room: string;
  readonly imports: readonly Import[];
}

const sourceExtensions = [".ts", ".tsx", ".mjs"];

export function readGraph(root: string, rooms: readonly Room[]): Module[] {
  return rooms.flatMap(({ folder }) =>
    listFiles(root, folder, sourceExtensions).map((file) => ({
      file,
      room: folder,
      imports: [...listSpecifiers(file, readFileSync(path.join(root, file), "utf8"))].map((specifier) => ({
        specifier,
        target: resolve(root, rooms, file, specifier),
      })),
    })),
  );
}

export function listSpecifiers(file: string, source: string): Set<string> {
  const parsed = parseSync(file, source);
  const [error] = parsed.errors;
  if (error) throw new Error(`${file} does not parse: ${error.message}`);
  const found = new Set<string>();
  const literal = (node: { type: string; value?: unknown } | null) => {
    if (node?.type === "Literal" && typeof node.value === "string") found.add(node.value);
  };
  new Visitor({
    ImportDeclaration: (node) => literal(node.source),
    ExportNamedDeclaration: (node) => literal(node.source),
    ExportAllDeclaration: (node) => literal(node.source),
    ImportExpression: (node) => literal(node.source),
    TSImportType: (node) => literal(node.source),
  }).visit(parsed.program);
  return found;
}

function vendorName(specifier: string): string {
  return specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
}

function resolve(root: string, rooms: readonly Room[], from: string, specifier: string): Target {
  if (specifier.startsWith(".")) {
    return { kind: "file", file: path.posix.join(path.posix.dirname(from), specifier) };
  }
  if (isBuiltin(specifier)) return { kind: "builtin", name: specifier };
  const name = vendorName(specifier);
  const room = rooms.find(({ manifest }) => manifest.name === name);
  if (!room) return { kind: "vendor", name };
  const entry = room.manifest.exports?.[`.${specifier.slice(name.length)}`] ?? "src/index.ts";
  const file = path.posix.join(room.folder, entry);
  // A door that is not built yet still belongs to its room.
  return {
    kind: "file",
    file: existsSync(path.join(root, file)) ? file : path.posix.join(room.folder, "src/index.ts"),
  };
}
