export { firstStep, layOutTask } from "./creation.ts";
export type { NewTask, TaskLayoutOptions, TaskRequest } from "./creation.ts";
export { taskSettings } from "./settings.ts";
export type { TaskSettings, TaskSettingsInput } from "./settings.ts";
