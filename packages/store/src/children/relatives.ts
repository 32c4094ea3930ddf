/**
 * When parents and children hear of each other.
 *
 * Purpose: soon after a verb that may concern a relative, without letting its caller wait. Boundary: what they hear is
 * children.sql's; what is missed here, housekeeping finds.
 *
 * 1. One round of each kind at a time; what is asked for meanwhile is one more round.
 * 2. A round that fails is told, and left to housekeeping.
 */
import type { Connections } from "../connection/pools.ts";
import type { WireWakeUp } from "../steps/attempts.ts";
import { followParents, tellParents } from "./children.ts";

export interface RelativesOptions {
  readonly connections: Connections;
  readonly room: () => number;
  readonly handOver: (wakeUps: readonly WireWakeUp[]) => void;
  readonly onError: (error: Error) => void;
}

export interface Relatives {
  /** A child may have ended. */
  tell(): void;
  /** Something may be wanted of children. */
  follow(): void;
  relate(): Promise<{ readonly told: number; readonly followed: number }>;
  idle(): Promise<void>;
}

export function createRelatives({ connections, room, handOver, onError }: RelativesOptions): Relatives {
  const tellAll = async (): Promise<number> => {
    let all = 0;
    for (;;) {
      const { told, wakeUps } = await tellParents(connections, room());
      handOver(wakeUps);
      if (told === 0) return all;
      all += told;
    }
  };
  // Whoever follows may want something of its own children.
  const followAll = async (): Promise<number> => {
    let all = 0;
    for (;;) {
      const followed = await followParents(connections);
      if (followed === 0) return all;
      all += followed;
    }
  };
  const telling = createRounds(tellAll, onError);
  // A child that was cancelled has ended.
  const following = createRounds(async () => {
    if ((await followAll()) > 0) telling.ask();
  }, onError);
  return {
    tell: telling.ask,
    follow: following.ask,
    relate: async () => {
      const followed = await followAll();
      return { told: await tellAll(), followed };
    },
    idle: async () => {
      await following.idle();
      await telling.idle();
    },
  };
}

function createRounds(round: () => Promise<unknown>, onError: (error: Error) => void) {
  let under: Promise<void> | undefined;
  let isAskedAgain = false;
  const run = async (): Promise<void> => {
    do {
      isAskedAgain = false;
      try {
        await round();
      } catch (error) {
        onError(error instanceof Error ? error : new Error(String(error)));
      }
    } while (isAskedAgain);
    under = undefined;
  };
  return {
    ask: (): void => {
      if (under === undefined) under = run();
      else isAskedAgain = true;
    },
    idle: async (): Promise<void> => {
      await under;
    },
  };
}
