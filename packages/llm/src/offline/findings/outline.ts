/** The headings of a text, in order; code and comments have none. */
import type { Source } from "../material.ts";
import { blocksOf } from "../text/blocks.ts";
import type { Finding } from "./finding.ts";

export interface Heading extends Finding {
  readonly level: number;
}

export function findHeadings(source: Source): readonly Heading[] {
  return blocksOf(source.text).flatMap((block) =>
    block.kind === "heading"
      ? [{ text: source.text.slice(block.start, block.end), source: source.name, level: block.level ?? 1 }]
      : [],
  );
}
