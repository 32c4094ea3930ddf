/** What a backend of the live channel does; everything else is the same for both. */

/** One message as the backend keeps it. `payload` is JSON. */
export interface Entry {
  readonly cursor: string;
  readonly payload: string;
}

export interface Batch {
  readonly topic: string;
  /** JSON texts in the order they were published. */
  readonly payloads: readonly string[];
}

export interface Sink {
  onEntries(topic: string, entries: readonly Entry[]): void;
  /** The connection is gone: what arrives before `onGap` has to wait. */
  onLost(): void;
  /** The connection follows again: what was sent meanwhile has to be read from the replay. */
  onGap(): void;
}

export interface Transport {
  readonly kind: "redis" | "postgres";
  /** Appends every batch to its topic's replay and tells the followers; cursors of a topic rise in the order of visibility. */
  append(batches: readonly Batch[]): Promise<void>;
  /** What the topic's replay holds after the cursor, oldest first. */
  replay(topic: string, after: string | undefined): Promise<readonly Entry[]>;
  /** Resolves when everything that is appended from now on reaches the sink. */
  follow(topic: string, sink: Sink): Promise<void>;
  unfollow(topic: string): Promise<void>;
  /** Throws `invalid-cursor`. */
  checkCursor(cursor: string): void;
  isAfter(cursor: string, other: string): boolean;
  close(): Promise<void>;
}

/** How many messages of a topic a late subscriber gets at most, and for how long they are kept. */
export const replayCount = 1_000;
export const replayMs = 10 * 60_000;
