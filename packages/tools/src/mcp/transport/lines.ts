/**
 * Lines of a stream, bounded.
 *
 * 1. A line that grows beyond the bound ends the reading: nothing of it is kept.
 * 2. Each chunk is kept once, whatever the line's length.
 */
export class LineReader {
  readonly #maxBytes: number;
  readonly #parts: Buffer[] = [];
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Undefined: a line is longer than the bound. */
  take(chunk: Buffer): string[] | undefined {
    const lines: string[] = [];
    let from = 0;
    for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, from)) {
      this.#parts.push(chunk.subarray(from, at));
      this.#bytes += at - from;
      from = at + 1;
      if (this.#bytes > this.#maxBytes) return undefined;
      lines.push(Buffer.concat(this.#parts, this.#bytes).toString("utf8"));
      this.#parts.length = 0;
      this.#bytes = 0;
    }
    if (from < chunk.length) {
      // A copy: the chunk's own memory may be much larger than what is left of it.
      this.#parts.push(Buffer.from(chunk.subarray(from)));
      this.#bytes += chunk.length - from;
    }
    return this.#bytes > this.#maxBytes ? undefined : lines;
  }
}
