/** For `node --import`: makes a program that is not ours (vitest) leave with its parent too. */
import { leaveWithParent } from "./lifetime.ts";

leaveWithParent();
