export { firstStep, layOutTask, replyWithTools } from "./creation.ts";
export type { TaskLayoutOptions, TaskRequest } from "./creation.ts";
export type { NewTask } from "../ports/store.ts";
export { taskSettings } from "./settings.ts";
export type { TaskSettings, TaskSettingsInput } from "./settings.ts";
