import type { Source } from "../material.ts";

/** A piece of a source, word for word. */
export interface Finding {
  readonly text: string;
  readonly source: string;
}

/** Reads what one source has to say; in the source's order. */
export type Finder = (source: Source) => readonly Finding[];

export const plainLine = (text: string): string => text.replace(/\s+/g, " ").trim();
