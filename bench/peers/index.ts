/**
 * The bench's peers: the same chains on Restate, DBOS Transact and openworkflow.
 *
 * Purpose: what Baton's figures are compared with, each peer at its best. Boundary: starts and stops everything that a
 * peer needs; knows nothing of Baton but the private PostgreSQL that two of the peers run on.
 *
 * 1. A peer's programs are processes of their own, on free ports, with a data folder that is removed afterwards.
 * 2. The clock runs from the start of the first chain to the result of the last; creation is inside it.
 * 3. Every start is warmed up with chains that do not count, so that no peer pays for its compiler or its connections.
 * 4. A chain that answers another number of steps than it was asked for fails the run.
 */
import { treeSeconds } from "../system/usage.ts";
import { ensurePeersInstalled, peerVersions } from "./packages.ts";
import type { ChainLoad, Peer, RunningPeer, Shape } from "./peer.ts";
import { dbos } from "./dbos/dbos.ts";
import { openworkflow } from "./openworkflow/openworkflow.ts";
import { restate } from "./restate/restate.ts";

export { peerVersions };

const known = { restate, dbos, openworkflow } satisfies Record<string, Peer>;

export type PeerName = keyof typeof known;

export const peers = Object.keys(known) as PeerName[];

export interface ChainFigures {
  readonly seconds: number;
  readonly stepsPerSecond: number;
  /** User and system time of all programs of the peer and of its driver. */
  readonly cpuSeconds: number;
  readonly cpuSecondsByProgram: Readonly<Record<string, number>>;
}

export interface IdleFigures {
  /** Milliseconds from the start of a chain to its result. */
  readonly p50: number;
  readonly p99: number;
}

export interface OpenPeer {
  readonly shape: Shape;
  runChains(load: ChainLoad): Promise<ChainFigures>;
  runIdleChains(load: { readonly runs: number; readonly steps?: number }): Promise<IdleFigures>;
  close(): Promise<void>;
}

const warmUp: ChainLoad = { tasks: 200, steps: 10, inFlight: 50 };

/** Starts a peer, empty and warm; `replaced` overrides parts of its shape. */
export async function openPeer(name: PeerName, replaced: Shape = {}): Promise<OpenPeer> {
  await ensurePeersInstalled();
  const shape = { ...known[name].shape, ...replaced };
  const running = await known[name].start(shape);
  try {
    await running.runChains(warmUp);
  } catch (error) {
    await running.stop();
    throw error;
  }
  return {
    shape,
    runChains: (load) => measureChains(running, load),
    async runIdleChains({ runs, steps = 10 }) {
      const times = (await running.runIdleChains({ runs, steps })).sort((a, b) => a - b);
      return { p50: quantile(times, 0.5), p99: quantile(times, 0.99) };
    },
    close: () => running.stop(),
  };
}

async function measureChains(running: RunningPeer, load: ChainLoad): Promise<ChainFigures> {
  const before = cpuByProgram(running);
  const seconds = await running.runChains(load);
  const after = cpuByProgram(running);
  const used = Object.entries(after).map(([program, total]) => [program, total - (before[program] ?? 0)] as const);
  return {
    seconds,
    stepsPerSecond: (load.tasks * load.steps) / seconds,
    cpuSeconds: used.reduce((total, [, value]) => total + value, 0),
    cpuSecondsByProgram: Object.fromEntries(used),
  };
}

function cpuByProgram({ programs }: RunningPeer): Record<string, number> {
  const used = (pids: readonly number[]) => pids.reduce((total, pid) => total + treeSeconds(pid), 0);
  return Object.fromEntries(Object.entries(programs).map(([program, pids]) => [program, used(pids)]));
}

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
