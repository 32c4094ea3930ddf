/**
 * A text file that begins with YAML between two lines of `---`.
 *
 * Purpose: data and body, and in which line of the file each piece of data stands. Boundary: knows no schema.
 *
 * 1. Data is what JSON can hold: no tags, no merges, no key twice, and no alias that makes little text large.
 * 2. Every problem names file and line.
 */
import { BatonError } from "@baton/core";
import { isMap, isNode, isPair, LineCounter, parseDocument } from "yaml";

export interface FrontMatter {
  readonly data: Readonly<Record<string, unknown>>;
  readonly body: string;
  /** Of the value at the path, or of the nearest that is there. */
  lineOf(path: readonly PropertyKey[]): number;
  /** Of a key of the mapping at the path. */
  lineOfKey(path: readonly PropertyKey[], key: string): number;
}

const fenced = /^\uFEFF?---[ \t]*\r?\n([\s\S]*?)(?<=\n)---[ \t]*(?:\r?\n|$)/;
const linesBefore = 1;
const maxAliases = 100;

/** @throws BatonError `invalid-configuration`, one line per problem */
export function readFrontMatter(file: string, text: string): FrontMatter {
  const [whole, yaml] = fenced.exec(text) ?? [];
  if (whole === undefined || yaml === undefined)
    throw refused([`${file}:1: the file must begin with its data between two lines of "---".`]);
  const lines = new LineCounter();
  const document = parseDocument(yaml, { lineCounter: lines, uniqueKeys: true, merge: false, schema: "core" });
  const lineAt = (offset: number): number => lines.linePos(offset).line + linesBefore;
  const { errors, warnings } = document;
  if (errors.length + warnings.length > 0) {
    const told = [...errors, ...warnings].map(({ message, pos }) => `${file}:${lineAt(pos[0])}: ${firstLine(message)}`);
    throw refused(told);
  }
  if (!isMap(document.contents)) throw refused([`${file}:2: between the lines of "---" stand names and values.`]);
  const nodeAt = (path: readonly PropertyKey[]): unknown => document.getIn(path as readonly unknown[], true);
  const lineOf = (path: readonly PropertyKey[]): number => {
    for (let length = path.length; length > 0; length--) {
      const node = nodeAt(path.slice(0, length));
      if (isNode(node) && node.range) return lineAt(node.range[0]);
    }
    return 1;
  };
  return {
    data: jsonOf(file, () => document.toJS({ maxAliasCount: maxAliases })),
    body: text.slice(whole.length),
    lineOf,
    lineOfKey(path, key) {
      const map = path.length === 0 ? document.contents : nodeAt(path);
      const pair = isMap(map) ? map.items.find((item) => isPair(item) && String(item.key) === key) : undefined;
      return isNode(pair?.key) && pair.key.range ? lineAt(pair.key.range[0]) : lineOf(path);
    },
  };
}

export function refused(problems: readonly string[]): BatonError {
  return new BatonError("invalid-configuration", problems.join("\n"), { details: { problems } });
}

function jsonOf(file: string, read: () => unknown): Readonly<Record<string, unknown>> {
  try {
    return read() as Readonly<Record<string, unknown>>;
  } catch (cause) {
    throw refused([`${file}:2: ${firstLine((cause as Error).message)}`]);
  }
}

const firstLine = (message: string): string =>
  message.split("\n", 1)[0]?.replace(/ at line \d+, column \d+:?$/, "") ?? "";
