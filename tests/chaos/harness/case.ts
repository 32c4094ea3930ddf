/** What a case is. */
import type { Backend } from "../../stack/stack.ts";
import type { World, WorldOptions } from "./world.ts";

/** Numbers that grow from tier T to tier L; between the two, the harness interpolates. */
export type Scale = Readonly<Record<string, number>>;

export interface ChaosCase<S extends Scale = Scale> {
  /** As in the table of faults. */
  readonly id: string;
  readonly backends: readonly Backend[];
  /** What holds, in one line. */
  readonly claims: string;
  readonly scale: { readonly t: S; readonly l: S };
  /** Roughly what a run takes on two cores, in seconds. */
  readonly seconds: { readonly t: number; readonly l: number };
  /** What the world has that other worlds do not. */
  readonly world?: Pick<WorldOptions, "workers" | "slots" | "env" | "apiEnv" | "ownPostgres">;
  /** How many faults have to have happened, and how many steps to have been recovered; default 1 each. */
  readonly least?: { readonly faults?: number; readonly recovered?: number };
  /** False when nobody is expected to be able to work at the end; default true. */
  readonly probes?: boolean;
  /** Throws when something that the case promises does not hold. The harness checks the invariants afterwards. */
  run(world: World, scale: S): Promise<void>;
}
