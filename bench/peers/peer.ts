/** What every peer of the comparison can do, whatever it is made of. */
export interface ChainLoad {
  /** How many chains, each a workflow of its own. */
  readonly tasks: number;
  /** Durable no-op steps of one chain, one after the other. */
  readonly steps: number;
  /** Chains that run at the same time, at most. */
  readonly inFlight: number;
}

export interface IdleLoad {
  readonly runs: number;
  readonly steps: number;
}

/** How a peer is set up; every value can be replaced by `main.ts --set name=value`. */
export type Shape = Readonly<Record<string, string | number>>;

export interface RunningPeer {
  /** The programs that the peer consists of; their children count as theirs. */
  readonly programs: Readonly<Record<string, readonly number[]>>;
  /** Starts the chains and waits for the result of each: seconds from the first start to the last result. */
  runChains(load: ChainLoad): Promise<number>;
  /** One chain after the other, with pauses: milliseconds of each from its start to its result. */
  runIdleChains(load: IdleLoad): Promise<number[]>;
  stop(): Promise<void>;
}

export interface Peer {
  /** Its best shape of those that were tried (README.md). */
  readonly shape: Shape;
  /** Starts everything on free ports with an empty data folder. */
  start(shape: Shape): Promise<RunningPeer>;
}
