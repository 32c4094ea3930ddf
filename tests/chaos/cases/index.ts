/** Every case, in the order in which the long tier runs them. */
import type { ChaosCase } from "../harness/case.ts";
import { agent } from "./agent.ts";
import { allDie } from "./all-die.ts";
import { commitReplyLost } from "./commit-reply-lost.ts";
import { crowd } from "./crowd.ts";
import { deploy } from "./deploy.ts";
import { duplicate } from "./duplicate.ts";
import { flush } from "./flush.ts";
import { halfOpen } from "./half-open.ts";
import { kill } from "./kill.ts";
import { killPoint } from "./kill-point.ts";
import { leader } from "./leader.ts";
import { ledger } from "./ledger.ts";
import { partition } from "./partition.ts";
import { pgRestart } from "./pg-restart.ts";
import { redisGone } from "./redis-gone.ts";
import { apiKill } from "./api-kill.ts";
import { dualWrite } from "./dual-write.ts";
import { payload } from "./payload.ts";
import { provider } from "./provider.ts";
import { race } from "./race.ts";
import { runaway } from "./runaway.ts";
import { poison } from "./poison.ts";
import { blockedLoop } from "./blocked-loop.ts";
import { endless } from "./endless.ts";
import { longCall } from "./long-call.ts";
import { drain } from "./drain.ts";
import { wedge } from "./wedge.ts";
import { zombie } from "./zombie.ts";

export const cases: readonly ChaosCase[] = [
  kill,
  killPoint,
  allDie,
  zombie,
  leader,
  deploy,
  crowd,
  flush,
  redisGone,
  halfOpen,
  pgRestart,
  commitReplyLost,
  partition,
  duplicate,
  apiKill,
  dualWrite,
  race,
  payload,
  ledger,
  provider,
  runaway,
  agent,
  poison,
  blockedLoop,
  endless,
  longCall,
  drain,
  wedge,
] as readonly ChaosCase[];
