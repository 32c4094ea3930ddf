/** What `npm run bench -- …` understands. */
import { parseArgs } from "node:util";
import { backends } from "./system/system.ts";
import type { Backend } from "./system/system.ts";

export interface BenchArguments {
  /** One JSON object on the last line. */
  readonly json: boolean;
  readonly smoke: boolean;
  readonly peers: boolean;
  /** Names of measures; all when empty. */
  readonly only: readonly string[];
  readonly backends: readonly Backend[];
  /** Folder for processor profiles of every process. */
  readonly profile: string | undefined;
}

/** Throws an Error that names the argument and what it may be. */
export function readArguments(args: readonly string[], measures: readonly string[]): BenchArguments {
  const { values } = parseArgs({
    args: [...args],
    options: {
      json: { type: "boolean", default: false },
      smoke: { type: "boolean", default: false },
      peers: { type: "boolean", default: false },
      only: { type: "string", default: "" },
      backend: { type: "string" },
      profile: { type: "string" },
    },
  });
  const only = values.only.split(",").filter((name) => name !== "");
  const unknown = only.find((name) => !measures.includes(name));
  if (unknown !== undefined) throw new Error(`--only ${unknown}: there is no such measure; ${measures.join(", ")}.`);
  const { backend } = values;
  const chosen = backends.filter((each) => backend === undefined || each === backend);
  if (chosen.length === 0) throw new Error(`--backend ${backend}: it is ${backends.join(" or ")}.`);
  const { json, smoke, peers, profile } = values;
  return { json, smoke, peers, only, backends: chosen, profile };
}
