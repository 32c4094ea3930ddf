/**
 * YAML as data, and in which line of its file each piece stands.
 *
 * 1. Data is what JSON can hold: no tags, no merges, no key twice, and no alias that makes little text large.
 * 2. Every problem names file and line.
 */
import { isMap, isNode, isPair, LineCounter, parseDocument } from "yaml";
import type { z } from "zod";

export interface YamlData {
  readonly data: unknown;
  /** Of the value at the path, or of the nearest that is there. */
  lineOf(path: readonly PropertyKey[]): number;
  /** Of a key of the mapping at the path. */
  lineOfKey(path: readonly PropertyKey[], key: string): number;
}

const maxAliases = 100;

/** Lines are counted from the file's first; `linesBefore` of them come before the YAML. Throws what `refuse` makes of the problems. */
export function readYaml(
  file: string,
  yaml: string,
  linesBefore: number,
  refuse: (problems: readonly string[]) => Error,
): YamlData {
  const lines = new LineCounter();
  const document = parseDocument(yaml, { lineCounter: lines, uniqueKeys: true, merge: false, schema: "core" });
  const lineAt = (offset: number): number => lines.linePos(offset).line + linesBefore;
  const { errors, warnings } = document;
  if (errors.length + warnings.length > 0)
    throw refuse(
      [...errors, ...warnings].map(({ message, pos }) => `${file}:${lineAt(pos[0])}: ${firstLine(message)}`),
    );
  const nodeAt = (path: readonly PropertyKey[]): unknown =>
    path.length === 0 ? document.contents : document.getIn(path as readonly unknown[], true);
  const lineOf = (path: readonly PropertyKey[]): number => {
    for (let length = path.length; length > 0; length--) {
      const node = nodeAt(path.slice(0, length));
      if (isNode(node) && node.range) return lineAt(node.range[0]);
    }
    return 1;
  };
  const data = (): unknown => {
    try {
      return document.toJS({ maxAliasCount: maxAliases });
    } catch (cause) {
      throw refuse([`${file}:${linesBefore + 1}: ${firstLine((cause as Error).message)}`]);
    }
  };
  return {
    data: data(),
    lineOf,
    lineOfKey(path, key) {
      const map = nodeAt(path);
      const pair = isMap(map) ? map.items.find((item) => isPair(item) && String(item.key) === key) : undefined;
      return isNode(pair?.key) && pair.key.range ? lineAt(pair.key.range[0]) : lineOf(path);
    },
  };
}

/** What zod found, with the line of each. */
export function problemsIn(
  file: string,
  { lineOf, lineOfKey }: Pick<YamlData, "lineOf" | "lineOfKey">,
  issue: z.core.$ZodIssue,
): readonly string[] {
  const { path } = issue;
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => {
      const field = [...path, key].join(".");
      return `${file}:${lineOfKey(path, key)}: ${field}: there is no such field.`;
    });
  }
  return [`${file}:${lineOf(path)}: ${path.length === 0 ? "" : `${path.join(".")}: `}${issue.message}`];
}

const firstLine = (message: string): string =>
  message.split("\n", 1)[0]?.replace(/ at line \d+, column \d+:?$/, "") ?? "";
