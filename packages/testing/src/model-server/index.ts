export type {
  Fault,
  ModelServerRequest,
  ModelServerScript,
  ScriptedReply,
  ScriptedRule,
  ScriptedToolCall,
} from "./script.ts";
export type { ModelServer } from "./server.ts";
export { startModelServer } from "./server.ts";
