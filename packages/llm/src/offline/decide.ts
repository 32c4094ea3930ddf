/** Whether a message needs a plan, by its wording alone. The object answers `shouldOrchestrate`'s schema. */
import { judgeWording } from "@baton/core/wording";

export function decide(message: string) {
  const { orchestrate, confidence, reasons } = judgeWording(message);
  return { orchestrate, confidence, reasons };
}
