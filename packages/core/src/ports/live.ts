/**
 * The port to the live channel: what is only interesting while it happens (tokens, progress).
 *
 * 1. Lossy by contract: the end of anything is read from PostgreSQL.
 * 2. A subscriber that joins late gets the replay buffer first (bounded), then what follows, without
 *    a gap or a repeat between the two.
 * 3. A message is at most 6,000 bytes of JSON; longer text is split by the publisher.
 */
export interface LiveMessage {
  /** Rises within a topic; a reader resumes after it. */
  readonly cursor: string;
  readonly data: unknown;
}

export interface LiveSubscription {
  close(): Promise<void>;
}

export interface LivePort {
  readonly backend: "redis" | "postgres";
  /** Buffered and flushed every 50 ms; never throws into the caller, trouble goes to `onError` of the composition. */
  publish(topic: string, data: unknown): void;
  /** Waits until everything published so far has left this process. */
  flush(): Promise<void>;
  subscribe(
    topic: string,
    after: string | undefined,
    onMessage: (message: LiveMessage) => void,
  ): Promise<LiveSubscription>;
  close(): Promise<void>;
}
