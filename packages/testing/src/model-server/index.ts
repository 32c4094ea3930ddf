export type {
  Fault,
  ModelServerRequest,
  ModelServerScript,
  ScriptedLimits,
  ScriptedReply,
  ScriptedRule,
  ScriptedToolCall,
} from "./script.ts";
export type { ModelServer } from "./server.ts";
export { startModelServer } from "./server.ts";
