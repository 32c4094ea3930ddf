/**
 * Messages in a byte stream of PostgreSQL's protocol 3, found without keeping them.
 *
 * Source: PostgreSQL documentation, "Message Formats": one byte of type, then an Int32 length that counts itself; the
 * first message of a client has no type.
 *
 * Boundary: a client that asks for no encryption first.
 * 1. Chunks may end anywhere, also inside a length.
 * 2. Of a message at most `headBytes` are kept: names and statements stand in front, parameters behind.
 */

export interface Frame {
  /** "" for the message without a type. */
  readonly type: string;
  /** The message's first bytes, after its length. */
  readonly head: Buffer;
  /** Where in the chunk that completed it the next message begins. */
  readonly end: number;
}

export interface FrameReader {
  /** The messages that this chunk completes, in order. */
  read(chunk: Buffer): Frame[];
}

const headBytes = 4_096;

export function createFrameReader(options: { readonly untypedFirst: boolean }): FrameReader {
  let hasType = !options.untypedFirst;
  /** Type, length and kept bytes of the message that is being read. */
  let kept = Buffer.alloc(0);
  let missing: number | undefined;

  const headerBytes = (): number => (hasType ? 5 : 4);
  const keep = (bytes: Buffer): void => {
    kept = Buffer.concat([kept, bytes.subarray(0, Math.max(0, headBytes - kept.length))]);
  };

  return {
    read: (chunk) => {
      const frames: Frame[] = [];
      let at = 0;
      while (at < chunk.length || missing === 0) {
        if (missing === undefined) {
          const wanted = headerBytes() - kept.length;
          keep(chunk.subarray(at, at + wanted));
          at = Math.min(chunk.length, at + wanted);
          if (kept.length < headerBytes()) break;
          missing = kept.readInt32BE(hasType ? 1 : 0) - 4;
          continue;
        }
        const taken = Math.min(missing, chunk.length - at);
        keep(chunk.subarray(at, at + taken));
        at += taken;
        missing -= taken;
        if (missing > 0) break;
        const type = hasType ? String.fromCharCode(kept[0] ?? 0) : "";
        frames.push({ type, head: kept.subarray(headerBytes()), end: at });
        hasType = true;
        kept = Buffer.alloc(0);
        missing = undefined;
      }
      return frames;
    },
  };
}

/** The zero-terminated strings at the beginning of a message, at most `count`. */
export function leadingStrings(head: Buffer, count: number): string[] {
  const found: string[] = [];
  for (let at = 0; found.length < count && at < head.length; ) {
    const zero = head.indexOf(0, at);
    const end = zero === -1 ? head.length : zero;
    found.push(head.toString("utf8", at, end));
    at = end + 1;
  }
  return found;
}
