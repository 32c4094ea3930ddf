/** A text file that begins with YAML between two lines of `---`: its data, and its body. */
import { BatonError } from "@baton/core";
import { readYaml, type YamlData } from "./yaml-data.ts";

export interface FrontMatter extends YamlData {
  readonly data: Readonly<Record<string, unknown>>;
  readonly body: string;
}

const fenced = /^\uFEFF?---[ \t]*\r?\n([\s\S]*?)(?<=\n)---[ \t]*(?:\r?\n|$)/;

/** @throws BatonError `invalid-configuration`, one line per problem */
export function readFrontMatter(file: string, text: string): FrontMatter {
  const [whole, yaml] = fenced.exec(text) ?? [];
  if (whole === undefined || yaml === undefined)
    throw refused([`${file}:1: the file must begin with its data between two lines of "---".`]);
  const read = readYaml(file, yaml, 1, refused);
  const { data } = read;
  if (!isRecord(data)) throw refused([`${file}:2: between the lines of "---" stand names and values.`]);
  return { ...read, data, body: text.slice(whole.length) };
}

export function refused(problems: readonly string[]): BatonError {
  return new BatonError("invalid-configuration", problems.join("\n"), { details: { problems } });
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
