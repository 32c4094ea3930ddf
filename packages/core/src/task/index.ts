export { taskSettings } from "./settings.ts";
export type { TaskSettings, TaskSettingsInput } from "./settings.ts";
