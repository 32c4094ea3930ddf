/** A piece of a source, word for word. */
export interface Finding {
  readonly text: string;
  readonly source: string;
}
